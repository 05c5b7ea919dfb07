"""What must be true of this project before anything is trained."""

import unittest
from pathlib import Path

from modelwright.project.load import check, load

HERE = Path(__file__).resolve().parents[1]


class ProjectFile(unittest.TestCase):
    """The project file says what people rely on."""

    def test_it_is_in_order(self):
        self.assertEqual(check(HERE), [])

    def test_four_models_compete(self):
        self.assertEqual(len(load(HERE).file.train.candidates), 4)

    def test_every_measurement_has_limits(self):
        for name, feature in load(HERE).file.features.items():
            self.assertEqual((feature.min, feature.max), (0, 50), name)

    def test_ten_samples_start_a_retraining(self):
        self.assertEqual(load(HERE).file.retrain.new_samples, 10)


if __name__ == "__main__":
    unittest.main()
