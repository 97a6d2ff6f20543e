"""The lab itself."""

from lab import LabUnderTest


def test_every_host_runs(lab: LabUnderTest) -> None:
    for host in lab.facts["hosts"]:
        state = lab.run(host, "timeout 120 systemctl is-system-running --wait").stdout.strip()
        failed = lab.run(host, "systemctl --failed --no-legend --plain").stdout
        assert state == "running", f"{host}: {state}\n{failed}"
