"""What is live and what was: tables, repositories behind protocols, migrations. SQLAlchemy stays here."""
