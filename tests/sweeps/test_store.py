"""The store: damage, full disks, strangers and several processes."""

import json
import os
import resource
import sqlite3
import subprocess
import sys
import textwrap

import pytest

from eossim.sweeps.store import Store

ME = {"function": "f", "code of f": "abc", "constant steps": "100", "eossim": "0.1.0"}


def filled(path, count=3):
    store = Store(path, ME)
    store.write((f"k{k}", bytes([k % 256]) * 100, "") for k in range(count))
    store.close()
    return path


def loaded(path, count=3, identity=ME):
    store = Store(path, identity)
    found = dict(store.load([f"k{k}" for k in range(count)]))
    store.close()
    return found


def test_cells_come_back(tmp_path):
    path = filled(tmp_path / "s", 1200)
    assert loaded(path, 1500) == {k: bytes([k % 256]) * 100 for k in range(1200)}


def test_finished_cells_stay_and_failed_ones_are_replaced(tmp_path):
    store = Store(tmp_path / "s", ME)
    store.write([("a", None, "no"), ("b", b"1", "")])
    assert dict(store.load(["a", "b"])) == {1: b"1"}
    store.write([("a", None, "no again"), ("b", b"2", "")])
    store.write([("b", None, "no")])
    assert dict(store.load(["a", "b"])) == {1: b"1"}
    store.write([("a", b"3", "")])
    assert dict(store.load(["a", "b"])) == {0: b"3", 1: b"1"}
    store.close()


def test_a_group_of_cells_is_kept_as_a_whole_or_not_at_all(tmp_path):
    store = Store(tmp_path / "s", ME)

    (pages,) = store._database.execute("PRAGMA page_count").fetchone()
    store._database.execute(f"PRAGMA max_page_count = {pages + 20}")
    with pytest.raises(OSError, match="is the disk full"):
        store.write((f"k{k}", b"x" * 1000, "") for k in range(200))
    assert dict(store.load([f"k{k}" for k in range(200)])) == {}
    store.write([("k7", b"1", "")])
    assert dict(store.load([f"k{k}" for k in range(200)])) == {7: b"1"}
    store.close()


def test_another_function_is_refused_and_the_store_left_alone(tmp_path):
    path = filled(tmp_path / "s")
    changed = ME | {"constant steps": "200", "code of g": "x"}
    del changed["code of f"]
    with pytest.raises(ValueError, match="belongs to another function") as caught:
        Store(path, changed)
    assert str(caught.value).splitlines()[1:-1] == [
        "  constant steps: 200, the store has 100",
        "  code of g: new, x",
        "  code of f: gone, the store has abc",
    ]
    assert "Name another file as store, or remove this one" in str(caught.value)
    assert len(loaded(path)) == 3


def test_what_is_no_store_is_refused_and_left_alone(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("not a database, and rather long, so that a header would fit into it" * 10)
    with pytest.raises(ValueError, match=r"notes.txt' is damaged or no store"):
        Store(text, ME)
    assert text.read_text().startswith("not a database")
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE cells (x)")
    before = other.read_bytes()
    with pytest.raises(ValueError, match="database of something else"):
        Store(other, ME)
    assert other.read_bytes() == before
    with pytest.raises(ValueError, match="is a folder"):
        Store(tmp_path, ME)
    with pytest.raises(ValueError, match="no such folder"):
        Store(tmp_path / "nowhere" / "s", ME)
    later = filled(tmp_path / "later")
    with sqlite3.connect(later) as database:
        database.execute("PRAGMA user_version = 7")
    with pytest.raises(ValueError, match="has format 7; this eossim reads format 2"):
        Store(later, ME)


def test_damage_is_found(tmp_path):
    path = filled(tmp_path / "s", 500)
    content = path.read_bytes()
    messages = []
    for place in range(0, len(content), 4096):  # a page at a time
        path.write_bytes(content[:place] + bytes(b ^ 0x55 for b in content[place : place + 64]) + content[place + 64 :])
        try:
            Store(path, ME).close()
            cells = loaded(path, 500)
        except ValueError as error:
            messages.append(str(error))
        else:
            assert cells == {k: bytes([k % 256]) * 100 for k in range(500)}
    assert len(messages) > 10
    assert all("is damaged or no store" in message for message in messages)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="is damaged or no store"):
        loaded(path, 500)


@pytest.mark.parametrize("change", ["DELETE FROM sweep", "UPDATE sweep SET value = '{'"])
def test_a_store_of_nobody_is_damaged(tmp_path, change):
    path = filled(tmp_path / "s")
    with sqlite3.connect(path) as database:
        database.execute(change)
    with pytest.raises(ValueError, match=r"is damaged or no store .it does not say whose cells it holds"):
        loaded(path)


def test_a_flipped_bit_in_a_result_is_found(tmp_path):
    path = filled(tmp_path / "s")
    content = path.read_bytes()
    assert content.count(bytes([2]) * 100) == 1
    path.write_bytes(content.replace(bytes([2]) * 100, bytes([2]) * 99 + bytes([3])))
    with pytest.raises(ValueError, match=r"the cell k2 does not match its checksum.: restore a copy"):
        loaded(path)


def changed(path, statement):
    with sqlite3.connect(path) as database:
        database.execute(statement)
    database.close()
    return path


def test_a_result_under_the_key_of_another_cell_is_found(tmp_path):
    path = changed(filled(tmp_path / "s"), "UPDATE cells SET key = 'k3' WHERE key = 'k2'")
    with pytest.raises(ValueError, match=r"the cell k3 does not match its checksum"):
        loaded(path, 4)


def test_damaged_text_is_said_to_be_damage(tmp_path):
    path = changed(filled(tmp_path / "s"), "UPDATE cells SET key = CAST(x'6bff' AS TEXT) WHERE key = 'k2'")
    assert sorted(loaded(path)) == [0, 1]  # that cell is computed again
    for value in ("CAST(x'7bff7d' AS TEXT)", "'[1]'", "'3'"):
        path = filled(tmp_path / f"s{len(value)}")
        with pytest.raises(ValueError, match="is damaged or no store"):
            loaded(changed(path, f"UPDATE sweep SET value = {value}"))


def test_damage_anywhere_is_said_or_harmless(tmp_path):
    """One byte at a time, in the pages of keys and of the identity."""
    path = filled(tmp_path / "s", 40)
    content = path.read_bytes()
    for place in range(100, len(content), 151):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            cells = loaded(path, 40)
        except ValueError as error:
            assert "damaged" in str(error) or "belongs to another function" in str(error)  # noqa: PT017
        except OSError as error:
            assert "cannot use store" in str(error)  # noqa: PT017
        else:
            assert all(cells[k] == bytes([k % 256]) * 100 for k in cells)


def test_a_full_database_keeps_what_was_done(tmp_path):
    store = Store(tmp_path / "s", ME)
    (pages,) = store._database.execute("PRAGMA page_count").fetchone()
    store._database.execute(f"PRAGMA max_page_count = {pages + 20}")
    done = 0

    def fill():
        nonlocal done
        for k in range(10_000):
            store.write([(f"k{k}", b"x" * 1000, "")])
            done += 1

    with pytest.raises(OSError, match=r"is the disk full\? The cells in it are safe; make room and sweep again"):
        fill()
    store.close()
    assert done > 10
    assert len(loaded(tmp_path / "s", done + 1)) == done
    filled(tmp_path / "s")  # there is room again


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs a limit on file sizes")
def test_a_disk_without_room_keeps_what_was_done(tmp_path):
    script = textwrap.dedent(f"""
        import resource, sys
        from eossim.sweeps.store import Store
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
        store = Store(__import__("pathlib").Path({str(tmp_path / "s")!r}), {ME!r})
        try:
            for k in range(10_000):
                store.write([(f"k{{k}}", b"x" * 1000, "")])
                print(k, flush=True)
        except OSError as error:
            print(error, file=sys.stderr)
        store.close()
    """)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert "is the disk full?" in done.stderr
    count = len(done.stdout.split())
    assert count > 10
    assert sorted(loaded(tmp_path / "s", 10_000)) == list(range(count))


def test_a_folder_without_permission_to_write(tmp_path):
    path = filled(tmp_path / "s")
    uri = f"file:{path}?mode=ro"
    store = Store(path, ME)
    store._database.close()
    store._database = sqlite3.connect(uri, uri=True, isolation_level=None)
    with pytest.raises(OSError, match=r"cannot use store .*readonly"):
        store.write([("z", b"1", "")])
    store.close()


def test_processes_share_a_store(tmp_path):
    """Four processes make one store at the same moment and write to it, each its own cells and all the same ones."""
    script = textwrap.dedent(f"""
        import sys
        from pathlib import Path
        from eossim.sweeps.store import Store
        me = int(sys.argv[1])
        print("ready", flush=True)
        sys.stdin.readline()
        store = Store(Path({str(tmp_path / "s")!r}), {ME!r})
        for k in range(100):
            store.write([(f"k{{me * 100 + k}}", bytes([me]) * 500, ""), (f"same{{k}}", b"same" * 100, "")])
        store.close()
    """)
    children = [
        subprocess.Popen([sys.executable, "-c", script, str(k)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for k in range(4)
    ]
    for child in children:
        child.stdout.readline()
    for child in children:
        child.stdin.write(b"\n")
        child.stdin.flush()
    assert [child.wait(timeout=60) for child in children] == [0] * 4
    assert loaded(tmp_path / "s", 400) == {k: bytes([k // 100]) * 500 for k in range(400)}
    store = Store(tmp_path / "s", ME)
    assert len(dict(store.load([f"same{k}" for k in range(100)]))) == 100
    store.close()


def test_a_killed_writer_leaves_a_store(tmp_path):
    """SIGKILL in the middle of writing, many times: what was said to be written is there."""
    script = textwrap.dedent(f"""
        import sys
        from pathlib import Path
        from eossim.sweeps.store import Store
        store = Store(Path({str(tmp_path / "s")!r}), {ME!r})
        k = int(sys.argv[1])
        while True:
            store.write([(f"k{{k}}", bytes([k % 256]) * 100, "")])
            print(k, flush=True)
            k += 1
    """)
    start = 0
    for attempt in range(4):
        child = subprocess.Popen([sys.executable, "-c", script, str(start)], stdout=subprocess.PIPE, text=True)
        for _ in range(37 * (attempt + 1)):
            child.stdout.readline()
        os.kill(child.pid, 9)
        said = child.communicate(timeout=60)[0].split()
        start = int(said[-1]) + 1 if said else start + 37 * (attempt + 1)
        found = loaded(tmp_path / "s", start + 1)
        assert set(range(start)) <= set(found)
        assert all(payload == bytes([k % 256]) * 100 for k, payload in found.items())


def test_identity_is_kept_as_text(tmp_path):
    with sqlite3.connect(filled(tmp_path / "s")) as database:
        (text,) = database.execute("SELECT value FROM sweep WHERE key = 'identity'").fetchone()
    assert json.loads(text) == ME
