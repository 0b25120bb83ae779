"""A certificate authority of one test: its clients trust it, nobody else does."""

import shutil
from importlib.util import find_spec
from pathlib import Path

from ..values.errors import ChaosError
from ..values.owners import temporary_folder


class Authority:
    """An authority, and the one certificate that it issued: for `host`, and for this machine.

    `close` removes the files.

    Attributes:
        path: the certificate of the authority itself, in PEM, for clients.
        server: certificate and key of the server, in PEM.

    Raises:
        ChaosError: ``no-trustme``.
    """

    def __init__(self, host: str) -> None:
        if find_spec("trustme") is None:
            text = "a twin that speaks TLS needs trustme, which is not installed (chaos.serve)"
            raise ChaosError("no-trustme", text, "pip install 'rollproof[network]'")
        import trustme

        self._folder = temporary_folder("tls")
        self.path, self.server = (str(Path(self._folder) / name) for name in ("ca.pem", "server.pem"))
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.path)
        certificate = authority.issue_cert(host, "localhost", "127.0.0.1", "::1")
        certificate.private_key_and_cert_chain_pem.write_to_path(self.server)

    def close(self) -> None:
        """Remove the files."""
        shutil.rmtree(self._folder, ignore_errors=True)
