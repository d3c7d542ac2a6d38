# SPDX-License-Identifier: Apache-2.0
"""The set-up script names what is missing together with the command that installs it, and never loses a .venv."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

import pytest

from flow import paths
from flow.paths import ROOT

OLD_PYTHON = '#!/bin/sh\ncase "$2" in *version_info*) exit 1;; esac\n'
BARE_PYTHON = """#!/bin/sh
case "$2" in
    *"< (3, 11)"*) exit 0;;
    *version_info*) echo 3.12; exit 0;;
    *ensurepip*) exit 1;;
esac
exit 9
"""


def setup(tmp_path: Path, programs: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a copy of the script where only the given programs and a few of the system's exist."""
    (tmp_path / "flow").mkdir()
    shutil.copy(ROOT / "flow" / "setup.sh", tmp_path / "flow")
    binaries = tmp_path / "bin"
    binaries.mkdir()
    for name in ("sh", "dirname", "id", "rm", "touch"):
        found = shutil.which(name)
        assert found
        (binaries / name).symlink_to(found)
    for name, text in programs.items():
        (binaries / name).write_text(text)
        (binaries / name).chmod(0o755)
    environment = {"PATH": str(binaries), "HOME": os.environ.get("HOME", "/")}
    command = ["sh", str(tmp_path / "flow" / "setup.sh")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


TOOLS = dict.fromkeys(("c++", "make", "perl"), "#!/bin/sh\n")


@pytest.mark.parametrize(
    ("programs", "message"),
    [
        ({}, "c++ is missing; install it with: sudo apt-get install g++"),
        ({"c++": ""}, "make is missing; install it with: sudo apt-get install make"),
        ({"c++": "", "make": ""}, "perl is missing; install it with: sudo apt-get install perl"),
        (TOOLS, "Python 3.11 or newer is missing; install it with: sudo apt-get install python3 python3-venv"),
        (
            TOOLS | {"python3": OLD_PYTHON},
            "Python 3.11 or newer is missing; install it with: sudo apt-get install python3.11 python3.11-venv",
        ),
        (
            TOOLS | {"python3": BARE_PYTHON},
            "the venv module of Python 3.12 is missing; install it with: sudo apt-get install python3.12-venv",
        ),
    ],
)
def test_missing_tool_is_named(tmp_path: Path, programs: dict[str, str], message: str) -> None:
    result = setup(tmp_path, programs)
    assert result.returncode == 1
    assert message in result.stderr
    assert not (tmp_path / ".venv").exists()


PYTHON = """#!/bin/sh
# A Python whose packages are files of this test: `offline`, `killed` and `slow` say what becomes of pip.
case "$2" in
    *fcntl*) exec REAL "$@";;
    *"< (3, 11)"*) exit 0;;
    *version_info*) echo 3.12;;
    venv)
        mkdir -p "$3/bin"
        cp "$0" "$3/bin/python"
        echo "#!$PWD/$3/bin/python" >"$3/bin/tool"
        echo "command = python3 -m venv $PWD/$3" >"$3/pyvenv.cfg";;
    pip)
        echo pip >>pip.log
        i=0
        while [ -f slow ] && [ $i -lt 600 ]; do sleep 0.05; i=$((i + 1)); done
        [ ! -f killed ] || kill -9 $PPID
        [ ! -f offline ] || exit 1;;
esac
""".replace("REAL", sys.executable)


WAITING = "setup: waiting for another set-up\n"


class Checkout:
    """The script, requirements, and programs that do what the test says."""

    PROGRAMS: ClassVar = {
        "python3": PYTHON,
        "apt-get": "#!/bin/sh\nexit 1\n",  # nothing is installed on this machine
        "c++": "#!/bin/sh\ncat >/dev/null\n[ ! -f no_headers ]\n",
        "iverilog": "",
    }

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "flow").mkdir(parents=True)
        shutil.copy(ROOT / "flow" / "setup.sh", path / "flow")
        (path / "requirements.txt").write_text("a==1\n")
        binaries = path / "bin"
        binaries.mkdir()
        for name, text in self.PROGRAMS.items():
            (binaries / name).write_text(text)
            (binaries / name).chmod(0o755)
        self.environment = {"PATH": f"{binaries}:/usr/bin:/bin", "HOME": "/"}

    def start(self, shell: str = "sh", **variables: str) -> subprocess.Popen[str]:
        command = [shell, str(self.path / "flow" / "setup.sh")]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=self.environment | variables, stdout=pipe, stderr=pipe, text=True)

    def run(self, **variables: str) -> tuple[int, str]:
        """Return code, and everything that it said."""
        process = self.start(**variables)
        out, error = process.communicate(timeout=60)
        return process.returncode, out + error

    @property
    def installs(self) -> int:
        log = self.path / "pip.log"
        return log.read_text().count("pip") if log.exists() else 0

    def installing(self) -> subprocess.Popen[str]:
        """A set-up whose pip runs for as long as the file `slow` is there."""
        (self.path / "slow").touch()
        before = self.installs
        process = self.start()
        while self.installs == before and process.poll() is None:
            time.sleep(0.02)
        return process

    def is_whole(self) -> bool:
        """A .venv that works is in place, with its own paths, and nothing beside it but the file that is locked."""
        venv = self.path / ".venv"
        place = f"#!{venv}/bin/python\n"
        beside = {each.name for each in self.path.iterdir() if each.name.startswith(".venv")}
        return (venv / "bin" / "tool").read_text() == place and beside == {".venv", ".venv.flock"}


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    made = Checkout(tmp_path / "checkout")
    assert made.run()[0] == 0
    assert made.is_whole()
    assert made.installs == 1
    return made


def test_contents_decide_and_not_times(checkout: Checkout) -> None:
    os.utime(checkout.path / "requirements.txt", (4e9, 4e9))
    assert checkout.run() == (0, "")
    assert checkout.installs == 1
    (checkout.path / "requirements.txt").write_text("a==2\n")
    os.utime(checkout.path / "requirements.txt", (1, 1))
    assert checkout.run()[0] == 0
    assert checkout.installs == 2
    assert checkout.is_whole()


def test_a_new_script_checks_again_and_keeps_the_packages(checkout: Checkout) -> None:
    with (checkout.path / "flow" / "setup.sh").open("a") as script:
        script.write("echo checked\n")
    assert "checked" in checkout.run()[1]
    assert checkout.run() == (0, "")
    assert checkout.installs == 1


def test_without_network_the_old_one_stays(checkout: Checkout) -> None:
    (checkout.path / "requirements.txt").write_text("a==2\n")
    (checkout.path / "offline").touch()
    code, said = checkout.run()
    assert code == 1
    assert said.endswith("setup: pip could not install the packages of requirements.txt; .venv is as it was\n")
    assert checkout.is_whole()
    (checkout.path / "requirements.txt").write_text("a==1\n")
    assert checkout.run() == (0, "")


def test_a_kill_leaves_the_old_one_and_no_obstacle(checkout: Checkout) -> None:
    (checkout.path / "requirements.txt").write_text("a==2\n")
    (checkout.path / "killed").touch()
    assert checkout.run()[0] == -9
    assert (checkout.path / ".venv" / "packages").read_text() == "Python 3.12\na==1\n"
    (checkout.path / "killed").unlink()
    assert checkout.run()[0] == 0
    assert checkout.is_whole()


def test_a_kill_in_the_middle_of_the_change_is_undone(checkout: Checkout) -> None:
    (checkout.path / ".venv").rename(checkout.path / ".venv.old")
    assert checkout.run()[0] == 0
    assert checkout.is_whole()
    assert checkout.installs == 1


def test_a_checkout_that_was_moved_gets_its_paths(checkout: Checkout, tmp_path: Path) -> None:
    checkout.path.rename(tmp_path / "moved")
    checkout.path = tmp_path / "moved"
    checkout.environment["PATH"] = f"{checkout.path}/bin:/usr/bin:/bin"
    assert checkout.run()[0] == 0
    assert checkout.is_whole()
    assert checkout.installs == 1


def test_optional_headers_are_named_and_not_needed(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout")
    (checkout.path / "no_headers").touch()
    code, said = checkout.run()
    assert code == 0
    assert said.rstrip().endswith("install them with: sudo apt-get install liblz4-dev zlib1g-dev")
    assert checkout.run() == (0, "")


def test_two_at_a_time_make_one(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout")
    both = [checkout.installing(), checkout.start()]
    assert both[1].stdout
    assert both[1].stdout.readline() == WAITING
    (checkout.path / "slow").unlink()
    said = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert said[1] == ("", "")
    assert checkout.installs == 1
    assert checkout.is_whole()


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_one_of_those_that_wait_takes_over_from_a_killed_one(shell: str, tmp_path: Path) -> None:
    """Not before the pip that outlives it has ended, and both never at once."""
    checkout = Checkout(tmp_path / "checkout")
    first = checkout.installing()
    others = [checkout.start(shell), checkout.start(shell)]
    for process in others:
        assert process.stdout
        assert process.stdout.readline() == WAITING
    first.kill()
    first.wait()
    assert checkout.installs == 1
    (checkout.path / "slow").unlink()
    for process in others:
        process.communicate(timeout=60)
    assert [process.returncode for process in others] == [0, 0]
    assert checkout.installs == 2
    assert checkout.is_whole()
    first.communicate()


@pytest.mark.parametrize("alive", [False, True])
def test_what_a_killed_container_left_is_no_obstacle(alive: bool, checkout: Checkout) -> None:
    """Whose process has the number now that stood in the lock of earlier versions: nobody, or one that lives."""
    (checkout.path / "requirements.txt").write_text("a==2\n")
    (checkout.path / ".venv.new.23" / "bin").mkdir(parents=True)
    (checkout.path / ".venv.lock").symlink_to(str(os.getpid() if alive else 2**22 + 1))
    process = checkout.start()
    try:
        process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0
    assert checkout.is_whole()


@pytest.mark.parametrize("asked", ["python3.9", "nonexistent", "old python"])
def test_a_python_that_was_asked_for_is_the_only_one(asked: str, checkout: Checkout) -> None:
    for name in ("python3.9", "old python"):
        (checkout.path / "bin" / name).write_text(OLD_PYTHON)
        (checkout.path / "bin" / name).chmod(0o755)
    code, said = checkout.run(EDGELOOM_PYTHON=asked)
    assert code == 1
    assert said == f"setup: EDGELOOM_PYTHON={asked} is no Python 3.11 or newer that runs here: name another\n"
    assert checkout.installs == 1
    assert checkout.run(EDGELOOM_PYTHON="python3") == checkout.run() == (0, "")
    assert checkout.is_whole()


def test_cdpath_leads_to_no_other_checkout(tmp_path: Path) -> None:
    """`cd flow/..` goes below a folder of CDPATH if that has a flow."""
    here, other = Checkout(tmp_path / "here"), Checkout(tmp_path / "other")
    for checkout in (here, other):
        (checkout.path / "bin" / "make").write_text("#!/bin/sh\npwd -P >>ran\n")
        (checkout.path / "bin" / "make").chmod(0o755)
        (checkout.path / "build").mkdir()
        for script in (".ci/run", "flow/clean.sh"):
            (checkout.path / script).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / script, checkout.path / script)
    environment = here.environment | {"CDPATH": str(other.path)}
    before = sorted(other.path.rglob("*"))
    for script in ("flow/setup.sh", "flow/clean.sh", ".ci/run"):
        subprocess.run(["sh", script], cwd=here.path, env=environment, check=True)
    assert here.is_whole()
    assert not (here.path / "build").exists()
    assert (here.path / "ran").read_text() == f"{here.path}\n"
    assert sorted(other.path.rglob("*")) == before


def test_users_variables_of_python_do_not_break_it(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout")
    (checkout.path / "bin" / "python3").write_text(f'#!/bin/sh\n[ -z "$PYTHONHOME" ] || exit 1\n{PYTHON[10:]}')
    assert checkout.run(PYTHONHOME="/nonexistent")[0] == 0


@pytest.mark.parametrize("character", list(" $#':=é"))
def test_a_folder_in_which_nothing_builds_is_named(character: str, tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / f"a{character}b")
    code, said = checkout.run()
    assert code == 1
    assert said.startswith(f"setup: the checkout is in {checkout.path}, but make and Verilator only build in folders")
    assert said.count("\n") == 1
    assert not (checkout.path / ".venv").exists()


@pytest.mark.parametrize(
    ("manager", "command"),
    [
        ("brew", "xcode-select --install; brew install python icarus-verilog"),
        ("dnf", "sudo dnf install gcc-c++ make perl python3 iverilog"),
        ("pacman", "sudo pacman -S gcc make perl python iverilog"),
    ],
)
def test_other_systems_have_their_command(manager: str, command: str, tmp_path: Path) -> None:
    assert command in setup(tmp_path, {manager: ""}).stderr


def test_the_script_and_python_take_the_same_folders() -> None:
    """Every character, of which / is between folders."""
    script = (ROOT / "flow" / "setup.sh").read_text()
    check = re.search(r"plain\(\) \(.*?\n\)\n", script, re.DOTALL)
    assert check
    characters = [chr(code) for code in range(1, 128)] + ["é", "ß", "中", "\udcff"]
    each = f'{check[0]}for here; do if plain; then echo "plain"; else echo "odd"; fi; done'
    for shell in ("sh", "bash"):
        said = subprocess.run([shell, "-c", each, shell, *characters], capture_output=True, text=True, check=True)
        expected = ["odd" if paths.ODD.search(character) else "plain" for character in characters]
        assert said.stdout.split() == expected
        assert expected.count("plain") == 26 + 26 + 10 + len(paths.PLAIN)


def test_requirements_are_pinned() -> None:
    lines = [line.strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
    packages = [line for line in lines if line and not line.startswith("#")]
    assert len(packages) > 20
    assert all("==" in line for line in packages)
