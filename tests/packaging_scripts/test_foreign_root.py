"""The emulated system: what is missing is said in words, and what it sees is exactly what was asked for."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging_scripts.loading import SCRIPTS, load

foreign_root = load("foreign_root")
inside_root = sys.modules["inside_root"]
arm_cpuinfo = load("arm_cpuinfo")
TARGET = foreign_root.TARGETS["arm64"]
ENABLED = "enabled\ninterpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P\nflags: PF\noffset 0\n"


def _complaints(binfmt: Path) -> str:
    return "\n".join(
        line for line in foreign_root.problems("arm64", binfmt=binfmt) if "nterpreter" in line or "binfmt" in line
    )


def test_an_unmounted_binfmt_misc_is_named_with_the_command_that_mounts_it(tmp_path: Path) -> None:
    assert f"mount -t binfmt_misc none {tmp_path}" in _complaints(tmp_path)


def test_a_missing_interpreter_is_named_with_its_package(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("enabled\n")
    assert "no interpreter for arm64" in _complaints(tmp_path)
    assert "apt-get install qemu-user-static" in _complaints(tmp_path)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (ENABLED.replace("enabled", "disabled"), "switched off"),
        (ENABLED.replace("PF", "P"), "registered with F"),
        (ENABLED, ""),
    ],
    ids=["disabled", "interpreter looked up inside", "ready"],
)
def test_the_state_of_the_interpreter_decides(tmp_path: Path, entry: str, said: str) -> None:
    (tmp_path / "status").write_text("enabled\n")
    (tmp_path / "qemu-aarch64").write_text(entry)
    assert said in _complaints(tmp_path) if said else _complaints(tmp_path) == ""


def test_without_root_it_says_so_and_makes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert foreign_root.main(["make", str(tmp_path / "root")]) == 2
    assert "need root. Run it with sudo" in capsys.readouterr().err
    assert not (tmp_path / "root").exists()


def test_a_folder_in_use_is_not_made_a_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(foreign_root, "problems", lambda arch: iter(()))
    (tmp_path / "thesis.txt").write_text("mine")
    assert foreign_root.main(["make", str(tmp_path)]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_system_is_unpacked_first_and_set_up_inside_with_what_building_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[list[str]] = []
    minimal_root = sys.modules["minimal_root"]
    monkeypatch.setattr(foreign_root, "problems", lambda arch: iter(()))
    monkeypatch.setattr(minimal_root, "run_step", steps.append)
    monkeypatch.setattr(minimal_root, "host_architecture", lambda: "amd64")
    folder = tmp_path / "arm64"
    assert foreign_root.main(["make", str(folder), "--mirror", "http://mirror.example/debian"]) == 0
    first, second = steps
    assert first[:4] == ["debootstrap", "--variant=minbase", "--arch=arm64", "--foreign"]
    assert first[4].startswith("--include=python3,python3-venv,")
    assert first[5:] == ["bookworm", str(folder), "http://mirror.example/debian"]
    assert second == ["chroot", str(folder), "/debootstrap/debootstrap", "--second-stage"]
    assert (folder / "usr/local/bin/cc").is_symlink()


def test_a_folder_without_a_system_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert foreign_root.main(["run", str(tmp_path), "--", "true"]) == 2
    assert f"Make one: foreign_root.py make {tmp_path}" in capsys.readouterr().err


@pytest.mark.parametrize("file", ["arch", "info/libc6:arm64.list"])
def test_the_architecture_is_read_from_the_system(tmp_path: Path, file: str) -> None:
    path = tmp_path / "var/lib/dpkg" / file
    path.parent.mkdir(parents=True)
    path.write_text("arm64\n")
    assert foreign_root.architecture(tmp_path) == "arm64"


def test_compilers_inside_are_links_to_the_cross_compilers_outside(tmp_path: Path) -> None:
    foreign_root.add_cross_tools(tmp_path, TARGET)
    foreign_root.add_cross_tools(tmp_path, TARGET)
    programs = tmp_path / "usr/local/bin"
    assert (programs / "cc").readlink() == Path("/opt/host/bin/aarch64-linux-gnu-gcc")
    assert (programs / "objcopy").readlink() == Path("/opt/host/bin/aarch64-linux-gnu-objcopy")
    # What Debian's Python compiles extensions with.
    assert (programs / "aarch64-linux-gnu-g++").readlink() == Path("/opt/host/bin/aarch64-linux-gnu-g++")
    assert (tmp_path / "usr/aarch64-linux-gnu").readlink() == Path("/opt/host/aarch64-linux-gnu")
    assert (tmp_path / "lib64").resolve() == tmp_path / "usr/lib64"
    assert (tmp_path / "usr/lib/x86_64-linux-gnu").is_dir()


@pytest.mark.parametrize(
    "text", ["relative:inside", "nothing", ":/inside", "HERE:/inside:rw", "HERE:/mnt/../etc", "HERE/absent:/inside"]
)
def test_a_bind_that_makes_no_sense_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(foreign_root.RootError, match="--bind"):
        inside_root.Bind.parse(text.replace("HERE", str(tmp_path)))


def test_binds_come_after_the_systems_mounts_and_keep_their_names(tmp_path: Path) -> None:
    here = tmp_path / "my documents; rm -rf ~"
    here.mkdir()
    binds = [inside_root.Bind.parse(f"{here}:/mnt/in:ro"), inside_root.Bind.parse(f"{tmp_path}:/mnt/out")]
    lines = inside_root.mount_script(Path("/srv/root"), binds).splitlines()
    assert shlex.split(lines[-3]) == ["mount", "--bind", "-o", "ro", str(here), "/srv/root/mnt/in"]
    assert shlex.split(lines[-2]) == ["mount", "--bind", str(tmp_path), "/srv/root/mnt/out"]
    assert lines[-1] == 'exec chroot /srv/root "$@"'
    assert subprocess.run(["sh", "-n", "-c", "\n".join(lines)], check=False).returncode == 0


def test_only_what_an_installation_needs_is_handed_on() -> None:
    outside = {
        "PIP_CERT": "/etc/ssl/mine.pem",
        "SECRET": "x",
        "HOME": "/home/me",
        "https_proxy": "http://proxy.example",
    }
    assert inside_root.environment(outside, ["HOME=/tmp", "EDGERAG_MODELS=/mnt/models"], QEMU_CPU="cortex-a53") == [
        "EDGERAG_MODELS=/mnt/models",
        "HOME=/tmp",
        "LANG=C.UTF-8",
        "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "PIP_CERT=/etc/ssl/mine.pem",
        "QEMU_CPU=cortex-a53",
        "https_proxy=http://proxy.example",
    ]


def test_the_made_up_cpuinfo_lists_what_the_processor_offers() -> None:
    names = arm_cpuinfo.features("AT_SYSINFO_EHDR:      0x55\nAT_HWCAP:             8fb\nAT_HWCAP2:            0x0\n")
    assert names == ["fp", "asimd", "aes", "pmull", "sha1", "sha2", "crc32", "cpuid"]
    text = arm_cpuinfo.cpuinfo("cortex-a72", names, 2)
    assert text.count("Features\t: fp asimd aes pmull sha1 sha2 crc32 cpuid\n") == 2
    assert text.count("CPU part\t: 0xd08\n") == 2
    assert text.count("CPU implementer\t: 0x41\n") == 2
    assert "\n\nprocessor\t: 1\n" in text


def test_the_newest_processor_has_the_extensions_that_embeddings_are_computed_with() -> None:
    names = arm_cpuinfo.features("AT_HWCAP:             ecfffffb\nAT_HWCAP2:            0x7f877fff\n")
    assert {"asimddp", "sve", "sve2", "i8mm", "bf16", "sme"} <= set(names)
    assert "CPU part\t: 0xd4f" in arm_cpuinfo.cpuinfo("max,sme=off", names, 1)


def test_without_an_answer_of_the_loader_nothing_is_made_up() -> None:
    with pytest.raises(ValueError, match="AT_HWCAP"):
        arm_cpuinfo.features("qemu-aarch64: unable to find CPU model 'cortex-a9000'\n")


SYSTEM = os.environ.get("EDGERAG_TEST_FOREIGN_ROOT", "")
"""What `foreign_root.py make` made; it takes minutes, so no test does."""
INSIDE = """
set -e
echo "machine $(uname -m)"; grep -m1 "CPU part" /proc/cpuinfo; echo "interfaces" $(cut -d: -sf1 /proc/net/dev)
printf 'int main() { return 42; }' > /tmp/program.c; cc /tmp/program.c -o /tmp/program
code=0; /tmp/program || code=$?; echo "program $code"; touch /mnt/in/file 2>/dev/null || echo "read-only"
exit 7
"""


@pytest.mark.slow
@pytest.mark.skipif(not SYSTEM, reason="EDGERAG_TEST_FOREIGN_ROOT names no system of foreign_root.py")
def test_a_command_inside_has_the_other_processor_a_compiler_and_no_network(tmp_path: Path) -> None:
    options = ["--cpu", "cortex-a53", "--offline", "--bind", f"{tmp_path}:/mnt/in:ro"]
    command = [sys.executable, str(SCRIPTS / "foreign_root.py"), "run", SYSTEM, *options, "--", "sh", "-c", INSIDE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout.splitlines() == [
        "machine aarch64",
        "CPU part\t: 0xd03",
        "interfaces lo",
        "program 42",
        "read-only",
    ]
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8")
    assert SYSTEM not in mounts


@pytest.mark.slow
@pytest.mark.skipif(not SYSTEM, reason="EDGERAG_TEST_FOREIGN_ROOT names no system of foreign_root.py")
def test_a_processor_that_qemu_does_not_know_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert foreign_root.main(["run", SYSTEM, "--cpu", "cortex-a9000", "--", "true"]) == 2
    assert "cortex-a9000 cannot be emulated" in capsys.readouterr().err
