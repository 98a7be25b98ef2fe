"""Dependencies point one way (module-level imports; lazy ones inside functions are allowed to look ahead)."""

import ast
from pathlib import Path

import eossim

ROOT = Path(eossim.__file__).parent
LAYERS = [
    {"_check", "_cores", "_jit", "_product", "_tables", "domain", "_words"},
    {"_rule", "_map"},
    {"rules", "maps", "symbolic"},
    {"formulas", "catalogue"},
    {"problems", "data", "norms", "networks"},
    {"curvature"},
    {"engine"},
    {"measure"},
    {"theory"},
    {"dynamics", "sweeps"},
    {"training"},
    {"early_training"},
    {"experiments"},
    {"adapters"},
    {"verification", "plot"},
    {
        "_bias_variance",
        "_stochastic",
        "_sharpness",
        "_train",
        "_experiments",
        "_phase_diagram",
        "_sweep",
        "_runs",
        "_doctor",
        "cli",
    },
]
RANK = {name: i for i, names in enumerate(LAYERS) for name in names}


def _room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def _imported_rooms(path: Path) -> set[str]:
    depth = len(path.relative_to(ROOT).parts)
    rooms = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            modules = [node.module.split(".")[0]] if node.module else [a.name for a in node.names]
            rooms |= set(modules)
        elif isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").startswith("eossim."):
            rooms.add(node.module.split(".")[1])
        assert not (isinstance(node, ast.ImportFrom | ast.Import) and "derivations" in ast.dump(node)), path
    return rooms


def test_every_room_has_a_layer():
    rooms = {_room(p) for p in ROOT.rglob("*.py")} - {"__init__"}
    assert rooms == set(RANK)


def test_imports_point_down():
    wrong = [
        (str(path.relative_to(ROOT)), room)
        for path in ROOT.rglob("*.py")
        if _room(path) != "__init__"
        for room in _imported_rooms(path)
        if room in RANK and RANK[room] > RANK[_room(path)]
    ]
    assert not wrong
