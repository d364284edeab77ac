"""What is away: databases that nobody can reach, by kind."""

AWAY = {
    "sqlite": "sqlite:////nowhere/database.sqlite3",
    "postgresql": "postgresql://segl@127.0.0.1:9/segl?sslmode=disable",  # the port of "discard", which nobody serves
}
