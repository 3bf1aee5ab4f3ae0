"""What is remembered of files survives damage of the database that holds it."""

from harness.assets.digests import FileMemory


def test_a_database_whose_error_message_is_not_utf_8_is_made_anew(tmp_path):
    file, database = tmp_path / "a", tmp_path / "files.sqlite"
    file.touch()
    with FileMemory("kind", database) as memory:
        memory.remember(file, ["fact"])
    intact = database.read_bytes()
    assert b"CREATE TABLE" in intact
    database.write_bytes(intact.replace(b"CREATE TABLE", b"CREATE \x84ABLE"))
    with FileMemory("kind", database) as memory:
        assert memory.recall(file) is None
        memory.remember(file, ["fact"])
    with FileMemory("kind", database) as memory:
        assert memory.recall(file) == ["fact"]
