"""scripts/check-rooms passes what is allowed and fails on each kind of violation."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "check-rooms"


class CheckRooms(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def check(self):
        done = subprocess.run([sys.executable, SCRIPT, self.root], text=True,
                              stdout=subprocess.PIPE, check=False)
        return done.returncode, done.stdout

    def assert_passes(self):
        code, output = self.check()
        self.assertEqual(code, 0, output)
        return output

    def assert_fails(self, *words):
        code, output = self.check()
        self.assertEqual(code, 1, output)
        for word in words:
            self.assertIn(word, output)

    def test_the_allowed_passes(self):
        self.write("include/sluice/base/time.hpp", "#include <chrono>\n")
        self.write("include/sluice/domain/sale.hpp", '#include "sluice/base/time.hpp"\n')
        self.write("src/adapters/redis/link.cpp",
                   '#include <hiredis/async.h>\n#include "sluice/orders/queue.hpp"\n'
                   '#include "adapters/redis/link.hpp"\n')
        self.write("src/adapters/redis/link.hpp", '#include <hiredis/hiredis.h>\n')
        self.write("src/http/session.cpp", "#include <boost/beast/http.hpp>\n")
        self.write("src/app/root.cpp", '#include "sluice/adapters/redis/inventory.hpp"\n')
        self.write("src/main.cpp", '#include "sluice/app/main.hpp"\n')
        self.assert_passes()

    def test_a_lower_room_may_not_know_a_higher_one(self):
        self.write("src/gate/window.cpp", '\n#include "sluice/orders/purchase_service.hpp"\n')
        self.assert_fails("src/gate/window.cpp:2:", "room gate may not include")

    def test_an_angled_or_indented_include_counts_too(self):
        self.write("src/domain/a.cpp", "#  include  <sluice/http/session.hpp>\n")
        self.assert_fails("src/domain/a.cpp:1:", "room domain")

    def test_an_adapter_may_not_know_another(self):
        self.write("src/adapters/direct/queue.cpp", '#include "sluice/adapters/sqlite/store.hpp"\n')
        self.assert_fails("room adapters/direct may not include", "adapters/sqlite")

    def test_private_headers_have_rooms_too(self):
        self.write("src/adapters/kafka/wire.hpp", "")
        self.write("src/http/routes.cpp", '#include "adapters/kafka/wire.hpp"\n')
        self.write("src/gate/a.cpp", '#include "../adapters/kafka/wire.hpp"\n')
        self.assert_fails("src/http/routes.cpp:1:", "src/gate/a.cpp:1:")

    def test_http_may_not_know_an_adapter(self):
        self.write("include/sluice/http/a.hpp", '#include "sluice/adapters/memory/inventory.hpp"\n')
        self.assert_fails("room http may not include")

    def test_a_driver_stays_in_its_folder(self):
        drivers = {"hiredis/hiredis.h": "redis", "librdkafka/rdkafka.h": "kafka",
                   "libpq-fe.h": "postgres", "postgresql/libpq-fe.h": "postgres",
                   "sqlite3.h": "sqlite"}
        for header, folder in drivers.items():
            for place in ("src/app/a.cpp", "src/adapters/direct/a.cpp",
                          f"include/sluice/adapters/{folder}/a.hpp"):
                with self.subTest(header=header, place=place):
                    self.write(place, f"#include <{header}>\n")
                    self.assert_fails(f"{place}:1:", f"only under src/adapters/{folder}")
                    (self.root / place).unlink()

    def test_beast_stays_out_of_public_headers(self):
        self.write("include/sluice/app/a.hpp", "#include <boost/beast/core.hpp>\n")
        self.assert_fails("include/sluice/app/a.hpp:1:")

    def test_an_unknown_room_is_named(self):
        self.write("src/attic/a.cpp", "")
        self.assert_fails("attic is no room")

    def test_lines_have_at_most_100_columns(self):
        self.write("src/base/fits.cpp", "// " + "ä" * 97 + "\n")
        self.assert_passes()
        self.write("tests/base/long_test.cpp", "x" * 101 + "\n")
        self.assert_fails("tests/base/long_test.cpp:1: 101 columns")

    def test_files_have_at_most_500_lines(self):
        self.write("src/base/long.cpp", "\n" * 401)
        self.assertIn("warning: 401 lines", self.assert_passes())
        self.write("src/base/long.cpp", "\n" * 501)
        self.assert_fails("501 lines")


if __name__ == "__main__":
    unittest.main()
