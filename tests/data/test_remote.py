"""Data at https:// and s3:// addresses, from a server on this machine that the test starts."""

import gzip
import io
import re
import tempfile
import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import polars as pl
import pytest

from sasrec.data.formats import remote
from sasrec.data.sources import load_corpus
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings

CSV = b'user_id,item_id,timestamp,note\nu,a,1,"x, y"\nu,b,2,z\n'
FRAME = pl.DataFrame({"user_id": ["u", "u"], "item_id": ["a", "b"], "timestamp": [1, 2]})


def parquet(frame):
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


FILES = {
    "e.csv": CSV,
    "e.csv.gz": gzip.compress(CSV),
    "e.jsonl": FRAME.write_ndjson().encode(),
    "latin.csv": "user_id,item_id\né,a\n".encode("latin-1"),
    "e.parquet": parquet(FRAME),
    "log/date=1/p.parquet": parquet(FRAME.with_columns(timestamp=pl.lit(1))),
    "log/date=2/p.parquet": parquet(FRAME.with_columns(item_id=pl.lit("c"))),
}


class Handler(BaseHTTPRequestHandler):
    """Answers as a web server, and like an object store that speaks the S3 protocol."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *given):
        pass

    def do_GET(self):
        self.answer(with_body=True)

    def do_HEAD(self):
        self.answer(with_body=False)

    def answer(self, *, with_body):
        address = urlsplit(self.path)
        query = parse_qs(address.query)
        if "list-type" in query:
            return self.send(200, listing(query.get("prefix", [""])[0]), {}, with_body=with_body)
        key = unquote(address.path).removeprefix("/").removeprefix(f"{BUCKET}/")
        if key == "short.csv":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(CSV)
            self.close_connection = True
            return None
        if key == "private.csv":
            login = self.headers.get("Authorization")
            known = login == "Basic " + b64encode("mé:se:cret".encode()).decode()
            return self.send(200 if known else 401, CSV if known else b"", {}, with_body=with_body)
        if key not in FILES:
            return self.send(404, b"", {}, with_body=with_body)
        content = FILES[key]
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range") or "")
        if asked is None:
            return self.send(200, content, {}, with_body=with_body)
        size = len(content)
        begin = int(asked[1]) if asked[1] else max(0, size - int(asked[2]))
        end = min(int(asked[2]) + 1, size) if asked[1] and asked[2] else size
        range_ = {"Content-Range": f"bytes {begin}-{end - 1}/{size}"}
        return self.send(206, content[begin:end], range_, with_body=with_body)

    def send(self, code, content, headers, *, with_body):
        self.send_response(code)
        times = {"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT", "ETag": '"1"'}
        for name, value in {**headers, **times, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(content)


BUCKET = "bucket-of-tests"


def listing(prefix):
    found = "".join(
        f"<Contents><Key>{key}</Key><Size>{len(content)}</Size><ETag>1</ETag>"
        "<LastModified>2024-01-01T00:00:00.000Z</LastModified></Contents>"
        for key, content in FILES.items()
        if key.startswith(prefix)
    )
    return (
        f'<?xml version="1.0"?><ListBucketResult><Name>{BUCKET}</Name><Prefix>{prefix}</Prefix>'
        f"<IsTruncated>false</IsTruncated>{found}</ListBucketResult>"
    ).encode()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def scratch(tmp_path_factory, monkeypatch, server):
    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "someone",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "no_proxy": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path_factory.mktemp("scratch")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert not list(folder.iterdir()), "temporary copies are left"


def load(source, **settings):
    return load_corpus(source, DataSettings(**settings))


def complaint(source, **settings):
    with pytest.raises(DataError) as caught:
        load(source, **settings)
    return str(caught.value)


@pytest.mark.parametrize("name", ["e.csv", "e.csv.gz", "e.jsonl", "e.parquet"])
def test_a_file_of_the_web_is_read(name, server):
    seen = []
    settings = DataSettings()
    corpus = load_corpus(
        f"{server}/{name}?key=1", settings, lambda done, total: seen.append((done, total))
    )
    assert corpus.sequences.n_events == 2
    assert (corpus.name, corpus.source) == ("e", f"{server}/{name}?key=1")
    assert seen[-1] == (len(FILES[name]), len(FILES[name]))
    assert load(corpus.source).sequences.fingerprint() == corpus.sequences.fingerprint()


def test_web_files_can_be_joined_and_have_an_encoding(server, tmp_path):
    (tmp_path / "more.csv").write_text("user_id,item_id,timestamp\nv,c,3\n")
    corpus = load([f"{server}/e.csv", tmp_path / "more.csv"])
    assert corpus.items.entries.to_list() == ["a", "b", "c"]
    assert load(f"{server}/latin.csv", encoding="latin-1").users.entries.to_list() == ["é"]


def test_what_is_wrong_with_a_web_file_names_its_address(server):
    gone = f"{server}/gone.csv"
    assert complaint(gone) == f"{gone} cannot be read (404 Not Found)"
    assert complaint(f"{server}/e.csv", item_column="what").startswith(
        f"{server}/e.csv has no column 'what'"
    )
    assert complaint(f"{server}/latin.csv").startswith(f"{server}/latin.csv is not UTF-8 text")
    short = f"{server}/short.csv"
    assert complaint(short).startswith(
        f"{short}: only {len(CSV)} of 1,000 bytes arrived; try again"
    )
    nobody = "http://127.0.0.1:9/e.csv"
    assert complaint(nobody).startswith(f"{nobody} cannot be reached (")
    assert "unknown file suffix ''" in complaint(f"{server}/")


def test_a_password_in_an_address_is_sent_and_not_kept(server):
    address = server.replace("://", "://m%C3%A9:se%3Acret@") + "/private.csv"
    corpus = load(address)
    assert corpus.items.entries.to_list() == ["a", "b"]
    assert corpus.source == server.replace("://", "://m%C3%A9:***@") + "/private.csv"
    assert "was not saved; give the address with it once more" in complaint(corpus.source)
    assert complaint(f"{server}/private.csv").endswith("cannot be read (401 Unauthorized)")


@pytest.mark.parametrize("name", ["e.csv", "e.csv.gz", "e.jsonl", "e.parquet"])
def test_a_file_of_an_object_store_is_read(name):
    corpus = load(f"s3://{BUCKET}/{name}")
    assert corpus.items.entries.to_list() == ["a", "b"]
    assert (corpus.name, corpus.source) == ("e", f"s3://{BUCKET}/{name}")


def test_parts_in_an_object_store_are_read():
    corpus = load(f"s3://{BUCKET}/log/**/*.parquet", time_column="date")
    assert corpus.items.entries.to_list() == ["a", "b", "c"]
    assert corpus.sequences.times.tolist() == [1.0, 1.0, 2.0, 2.0]


def test_what_is_wrong_with_an_object_names_its_address():
    gone = f"s3://{BUCKET}/gone.parquet"
    assert complaint(gone).startswith(f"{gone} cannot be read (")
    assert complaint(gone).endswith("); check the address and the credentials")
    assert complaint(f"s3://{BUCKET}/e.parquet", user_column="who").startswith(
        f"s3://{BUCKET}/e.parquet has no column 'who'; name the right column with --user-column="
    )
    assert "download the file first" in complaint(f"s3://{BUCKET}/latin.csv", encoding="latin-1")


def test_an_older_polars_says_what_it_cannot_read(monkeypatch):
    monkeypatch.delattr(pl, "scan_lines", raising=False)
    assert "with a newer version of Polars; download the file first" in complaint(
        f"s3://{BUCKET}/e.csv"
    )
    assert remote.TIMEOUT_SECONDS > 10
