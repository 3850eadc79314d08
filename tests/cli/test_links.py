"""`qbo-sync links`."""

from __future__ import annotations

from pathlib import Path

from .conftest import REALM, Shell


def test_links_go_in_by_file_and_come_out_the_same(shell: Shell, tmp_path: Path) -> None:
    shell.connect()
    file = tmp_path / "links.csv"
    file.write_text(f"kind,algapsa_id,quickbooks_id\nclient,{shell.msp.clients[0]},58\n")

    told = shell.ok("links", "import", REALM, str(file))

    assert told == "1 link made, 0 corrected, 0 stood already.\n"
    assert shell.ok("links", "export", REALM) == file.read_text()
    copy = tmp_path / "copy.csv"
    assert shell.ok("links", "export", REALM, str(copy)) == f"1 link written to {copy}.\n"
    assert shell.json("links", "import", REALM, str(copy)) == {
        "added": 0,
        "replaced": 0,
        "unchanged": 1,
    }


def test_every_faulty_line_is_named_and_nothing_is_linked(shell: Shell) -> None:
    shell.connect()

    told = shell.refused(
        "links", "import", REALM, "-", text=f"client,{shell.msp.clients[0]},58\nvendor,1,2\n"
    )

    assert told.startswith("Nothing was linked: 1 line of the file cannot be used.\nLine 2: 'vend")
    assert shell.ok("links", "export", REALM) == "kind,algapsa_id,quickbooks_id\n"


def test_a_thousand_faulty_lines_do_not_flood_the_terminal(shell: Shell) -> None:
    shell.connect()

    told = shell.refused("links", "import", REALM, "-", text="vendor,1,2\n" * 1000)

    assert told.count("\n") < 60
    assert "... and 950 more." in told


def test_a_link_is_corrected_with_replace_only(shell: Shell) -> None:
    shell.connect()
    client = shell.msp.clients[0]
    shell.ok("links", "import", REALM, "-", text=f"client,{client},58\n")

    assert "--replace" in shell.refused("links", "import", REALM, "-", text=f"client,{client},59\n")
    told = shell.ok("links", "import", REALM, "-", "--replace", text=f"client,{client},59\n")

    assert told == "0 links made, 1 corrected, 0 stood already.\n"


def test_a_missing_file_and_a_file_in_another_encoding_are_sentences(
    shell: Shell, tmp_path: Path
) -> None:
    shell.connect()
    latin = tmp_path / "latin.csv"
    latin.write_bytes("tax_region,Québec,1\n".encode("latin-1"))

    missing = shell.refused("links", "import", REALM, str(tmp_path / "none.csv"))
    assert missing.startswith("No such file or directory")
    assert "CSV UTF-8" in shell.refused("links", "import", REALM, str(latin))
