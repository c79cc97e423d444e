"""Certificates of an authority that only the test knows."""

import subprocess
from pathlib import Path


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, timeout=60,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


class Authority:
    """`ca` is its certificate; what it issues are NAME.pem and NAME.key in its folder."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True)
        self.ca, self.key = self.folder / "ca.pem", self.folder / "ca.key"
        openssl("req", "-x509", *NEW_KEY, "-subj", "/CN=Test authority", "-days", 2,
                "-keyout", self.key, "-out", self.ca)

    def issue(self, name="server", host="DNS:localhost", days=2):
        """For that host; with -1 it has expired. Replaces the one of that name."""
        request, names = self.folder / f"{name}.csr", self.folder / f"{name}.names"
        names.write_text(f"subjectAltName={host}\n")
        openssl("req", *NEW_KEY, "-subj", f"/CN={name}", "-keyout", self.folder / f"{name}.key",
                "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.key,
                "-days", days, "-extfile", names, "-out", self.folder / f"{name}.pem")
        return self.folder / f"{name}.pem"
