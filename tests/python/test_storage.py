"""Files and buckets with the official Python client."""

import os
import uuid

import httpx
import pytest
from servers import PATIENCE
from storage3.exceptions import StorageApiError

TEXT = {"content-type": "text/plain"}


@pytest.fixture
def bucket(service) -> str:
    name = f"bucket-{uuid.uuid4()}"
    service.storage.create_bucket(name)
    return name


def refused(status: int, call) -> StorageApiError:
    with pytest.raises(StorageApiError) as raised:
        call()
    assert str(raised.value.status) == str(status)
    return raised.value


def test_upload_and_download(service, bucket):
    files = service.storage.from_(bucket)
    content = os.urandom(10_000)
    uploaded = files.upload("a/noise.bin", content, {"content-type": "application/octet-stream"})
    assert uploaded.full_path == f"{bucket}/a/noise.bin"
    assert files.download("a/noise.bin") == content
    info = files.info("a/noise.bin")
    assert (info["name"], info["size"], info["content_type"]) == ("a/noise.bin", 10_000, "application/octet-stream")


def test_upsert_and_update(service, bucket):
    files = service.storage.from_(bucket)
    files.upload("a.txt", b"one", TEXT)
    assert refused(409, lambda: files.upload("a.txt", b"two", TEXT)).message == "The resource already exists"
    files.upload("a.txt", b"two", {**TEXT, "upsert": "true"})
    assert files.download("a.txt") == b"two"
    files.update("a.txt", b"three", TEXT)
    assert files.download("a.txt") == b"three"


def test_list_move_copy_remove(service, bucket):
    files = service.storage.from_(bucket)
    for name in ("d/b.txt", "d/a.txt", "d/sub/c.txt"):
        files.upload(name, name.encode(), TEXT)
    names = lambda: [one["name"] for one in files.list("d")]
    assert sorted(names()) == ["a.txt", "b.txt", "sub"]
    files.move("d/a.txt", "d/z.txt")
    files.copy("d/b.txt", "d/y.txt")
    assert sorted(names()) == ["b.txt", "sub", "y.txt", "z.txt"]
    assert files.download("d/z.txt") == b"d/a.txt"
    removed = files.remove(["d/z.txt", "d/none.txt"])
    assert [one["name"] for one in removed] == ["d/z.txt"]
    assert refused(404, lambda: files.download("d/z.txt")).message == "Object not found"


def test_signed_urls(anon, service, bucket):
    files = service.storage.from_(bucket)
    files.upload("s.txt", b"signed", TEXT)
    signed = files.create_signed_url("s.txt", 60)["signedUrl"]
    assert httpx.get(signed, timeout=PATIENCE).content == b"signed"
    ticket = files.create_signed_upload_url("by-mail.txt")
    anon.storage.from_(bucket).upload_to_signed_url("by-mail.txt", ticket["token"], b"posted", TEXT)
    assert files.download("by-mail.txt") == b"posted"


def test_public_and_private_buckets(service, bucket):
    files = service.storage.from_(bucket)
    files.upload("p.txt", b"public", TEXT)
    url = files.get_public_url("p.txt")
    assert httpx.get(url, timeout=PATIENCE).status_code == 400
    service.storage.update_bucket(bucket, {"public": True})
    assert httpx.get(url, timeout=PATIENCE).content == b"public"
    assert refused(409, lambda: service.storage.delete_bucket(bucket))
    service.storage.empty_bucket(bucket)
    service.storage.delete_bucket(bucket)
    assert refused(404, lambda: service.storage.get_bucket(bucket)).message == "Bucket not found"


def test_limits(service):
    name = f"small-{uuid.uuid4()}"
    service.storage.create_bucket(name, options={"file_size_limit": 5, "allowed_mime_types": ["text/plain"]})
    files = service.storage.from_(name)
    files.upload("ok.txt", b"12345", TEXT)
    refused(413, lambda: files.upload("large.txt", b"123456", TEXT))
    refused(415, lambda: files.upload("a.png", b"1", {"content-type": "image/png"}))


def test_policies(anon, new_user):
    ada, bob = new_user("ada"), new_user("bob")
    path = f"{ada.id}/diary.txt"
    ada.client.storage.from_("vault").upload(path, b"dear diary", TEXT)
    assert ada.client.storage.from_("vault").download(path) == b"dear diary"
    for other in (bob.client, anon):
        files = other.storage.from_("vault")
        refused(404, lambda: files.info(path))
        assert files.list(ada.id) == []
        assert files.remove([path]) == []
        error = refused(403, lambda: files.upload(f"{ada.id}/gift.txt", b"x", TEXT))
        assert error.message == "new row violates row-level security policy"
    assert ada.client.storage.from_("vault").download(path) == b"dear diary"
