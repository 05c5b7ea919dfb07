"""Draw a synthetic product catalogue with the columns of a real one, for when that is not at hand.

Names, descriptions and pictures are **made up**: words are drawn from a list for each category, with
words of other categories mixed in, and pictures are drawn from simple shapes with Pillow, a third of
them plain boxes that could hold anything. So texts tell a category well, pictures less well, and
both together a little better than texts alone, as in the real catalogue. They say
nothing about real products.

    python examples/products/make_data.py              # 490 products to examples/products/data/
    python examples/products/make_data.py --rows 900 --seed 7
"""

from __future__ import annotations

import argparse
import csv
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

HEADER = ("uniq_id", "product_name", "description", "brand", "retail_price", "category", "image")
SIDE = 128
Colour = tuple[int, int, int]
Draw = Callable[[ImageDraw.ImageDraw, random.Random, Colour], None]

WORDS: dict[str, str] = {
    "Baby Care": "baby infant romper bib diaper cot bootie rattle frock toddler cotton soft bath girl boy",
    "Beauty and Personal Care": "perfume shampoo lotion soap lipstick cream spray oil skin hair men women",
    "Computers": "laptop router adapter usb charger keyboard cable skin battery wireless mouse led warranty",
    "Home Decor & Festive Needs": "wall showpiece sticker idol lamp clock painting brass vase candle art",
    "Home Furnishing": "curtain bedsheet blanket cushion cover pillow towel double floral door cotton",
    "Kitchen & Dining": "mug ceramic pan bowl cooker knife steel bottle coffee dinner lunch tea glass plate",
    "Watches": "watch analog dial strap wrist quartz round chronograph leather women men digital water",
}
COMMON = """
price rs buy online free shipping genuine products delivery cash replacement guarantee general brand colour
material package sales contents specifications features key india box pack
"""
BRANDS = ("Ardent", "Bluefin", "Cobalt", "Dhara", "Everly", "Fabrino", "Gulmohar", "Halden")


def _centred(draw: ImageDraw.ImageDraw, box: Sequence[float], fill: Colour, *, round_: bool) -> None:
    (draw.ellipse if round_ else draw.rectangle)([box[0], box[1], box[2], box[3]], fill=fill)


def _shade(colour: Colour, factor: float) -> Colour:
    red, green, blue = (max(0, min(255, int(part * factor))) for part in colour)
    return red, green, blue


def _baby(draw: ImageDraw.ImageDraw, rng: random.Random, colour: Colour) -> None:
    draw.polygon([(40, 30), (88, 30), (96, 60), (84, 64), (84, 100), (44, 100), (44, 64), (32, 60)], colour)
    for _ in range(6):
        x, y = rng.randint(48, 80), rng.randint(40, 94)
        draw.ellipse([x - 3, y - 3, x + 3, y + 3], _shade(colour, 0.7))


def _beauty(draw: ImageDraw.ImageDraw, rng: random.Random, colour: Colour) -> None:
    width = rng.randint(12, 20)
    draw.rounded_rectangle([64 - width, 44, 64 + width, 112], 8, colour)
    draw.rectangle([56, 24, 72, 44], _shade(colour, 0.5))
    draw.rectangle([64 - width + 4, 64, 64 + width - 4, 90], (250, 250, 250))


def _computer(draw: ImageDraw.ImageDraw, rng: random.Random, colour: Colour) -> None:
    dark = _shade((60, 60, 70), rng.uniform(0.6, 1.2))
    draw.rectangle([24, 34, 104, 84], dark)
    draw.rectangle([29, 39, 99, 79], colour)
    draw.polygon([(18, 96), (110, 96), (104, 86), (24, 86)], _shade(dark, 1.4))


def _decor(draw: ImageDraw.ImageDraw, rng: random.Random, colour: Colour) -> None:
    draw.rectangle([26, 20, 102, 108], _shade(colour, 0.6))
    draw.rectangle([34, 28, 94, 100], (245, 240, 225))
    for _ in range(5):
        x, y, size = rng.randint(42, 86), rng.randint(36, 92), rng.randint(4, 14)
        draw.polygon(
            [(x, y - size), (x + size, y + size), (x - size, y + size)], _shade(colour, rng.uniform(0.7, 1.4))
        )


def _furnishing(draw: ImageDraw.ImageDraw, rng: random.Random, colour: Colour) -> None:
    stripes = rng.randint(6, 10)
    for stripe in range(stripes):
        left = 12 + stripe * 104 // stripes
        draw.rectangle([left, 14, left + 104 // stripes, 116], colour if stripe % 2 else _shade(colour, 0.75))


def _kitchen(draw: ImageDraw.ImageDraw, rng: random.Random, colour: Colour) -> None:
    draw.arc([78, 48, 108, 88], 270, 90, _shade(colour, 0.8), 7)
    draw.rounded_rectangle([34, 36, 90, 104], 6, colour)
    draw.ellipse([34, 28, 90, 44], _shade(colour, 0.7))
    draw.ellipse([50, 60, 74, 84], _shade(colour, rng.uniform(1.1, 1.4)))


def _watch(draw: ImageDraw.ImageDraw, rng: random.Random, colour: Colour) -> None:
    draw.rectangle([52, 6, 76, 122], _shade(colour, 0.6))
    draw.ellipse([36, 36, 92, 92], (190, 190, 195))
    draw.ellipse([41, 41, 87, 87], rng.choice([(250, 250, 250), (30, 30, 35)]))
    draw.line([(64, 64), (64, 48)], (120, 30, 30), 3)
    draw.line([(64, 64), (rng.randint(70, 78), 70)], (120, 30, 30), 2)


def _box(draw: ImageDraw.ImageDraw, rng: random.Random, colour: Colour) -> None:
    left, top = rng.randint(20, 40), rng.randint(20, 40)
    draw.rectangle([left, top, 128 - left, 128 - top], colour)
    draw.line([(left, 64), (128 - left, 64)], _shade(colour, 0.8), 4)


DRAWINGS: dict[str, Draw] = dict(
    zip(WORDS, (_baby, _beauty, _computer, _decor, _furnishing, _kitchen, _watch), strict=True)
)


def picture(category: str, rng: random.Random) -> Image.Image:
    """A product on white: its shape turned, moved and coloured at random, or a plain box."""
    ground: Colour = (255, 255, 255) if rng.random() < 0.8 else (rng.randint(200, 250),) * 3  # type: ignore[assignment]
    image = Image.new("RGB", (SIDE, SIDE), ground)
    colour: Colour = (rng.randint(20, 235), rng.randint(20, 235), rng.randint(20, 235))
    chance = rng.random()
    drawing = (
        _box if chance < 0.33 else rng.choice(list(DRAWINGS.values())) if chance < 0.4 else DRAWINGS[category]
    )
    drawing(ImageDraw.Draw(image), rng, colour)
    image = image.rotate(rng.uniform(-18, 18), Image.Resampling.BILINEAR, fillcolor=ground)
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 1.2)))
    height = rng.choice([128, 128, 110, 96])
    return image.resize((SIDE, height)) if rng.random() < 0.5 else image.resize((height, SIDE))


def _words(category: str, count: int, own: float, rng: random.Random) -> list[str]:
    """Words of a category with a share ``own`` of its own ones, others being common or another's."""
    words, foreign = WORDS[category].split(), WORDS[rng.choice(list(WORDS))].split()
    common = COMMON.split()
    return [
        rng.choice(words) if rng.random() < own else rng.choice(foreign if rng.random() < 0.35 else common)
        for _ in range(count)
    ]


def product(category: str, rng: random.Random) -> dict[str, str]:
    """The words of one product; one in twenty says little of what it is."""
    vague = rng.random() < 0.05
    brand = rng.choice(BRANDS)
    name = " ".join(_words(category, rng.randint(3, 6), 0.1 if vague else 0.6, rng)).title()
    text = " ".join(_words(category, rng.randint(14, 60), 0.04 if vague else 0.33, rng))
    return {
        "uniq_id": f"{rng.getrandbits(128):032x}",
        "product_name": f"{brand} {name}",
        "description": f"Specifications of {brand} {name} {text}.",
        "brand": brand if rng.random() < 0.75 else "",
        "retail_price": str(rng.randint(2, 80) * 50 - 1),
        "category": category,
    }


def make(rows: int, seed: int, folder: Path) -> list[dict[str, str]]:
    """Draw ``rows`` products, their pictures to ``folder/images``.

    Args:
        rows: How many.
        seed: The same seed draws the same catalogue.
        folder: Where the table is to lie; paths of pictures start there.
    """
    rng = random.Random(seed)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    table = []
    for place in range(rows):
        category = list(WORDS)[place % len(WORDS)]
        row = product(category, rng)
        row["image"] = f"images/{row['uniq_id']}.jpg"
        picture(category, rng).save(folder / row["image"], quality=rng.randint(60, 90))
        table.append(row)
    rng.shuffle(table)
    return table


def main() -> None:
    """Write the table and its pictures."""
    parser = argparse.ArgumentParser(description="Draw a synthetic product catalogue.")
    parser.add_argument("--rows", type=int, default=490)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "data" / "synthetic.csv")
    options = parser.parse_args()
    table = make(options.rows, options.seed, options.out.parent)
    with options.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HEADER)
        writer.writeheader()
        writer.writerows(table)
    print(f"{options.rows} synthetic products written to {options.out}, their pictures beside it")


if __name__ == "__main__":
    main()
