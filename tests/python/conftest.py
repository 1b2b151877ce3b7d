"""One app for each test file and backend, clients for it, and users."""

import os
import uuid
from dataclasses import dataclass

import httpx
import pytest
from servers import BACKENDS, PATIENCE, running_app
from supabase import AsyncClientOptions, Client, ClientOptions, acreate_client, create_client


# How the clients make their own connections, but for the time that a busy machine may take to answer.
AS_THE_CLIENTS_DO = {"timeout": PATIENCE, "follow_redirects": True, "http2": True}


def pytest_generate_tests(metafunc):
    if "app" in metafunc.fixturenames:
        chosen = os.environ.get("TRUSTSTREAM_TEST_BACKEND")
        metafunc.parametrize("app", [chosen] if chosen else BACKENDS, indirect=True, scope="module")


@pytest.fixture(scope="module")
def app(request):
    with running_app(request.param) as app:
        yield app


@pytest.fixture
def anon(app) -> Client:
    return client(app, app.anon_key)


@pytest.fixture
def service(app) -> Client:
    return client(app, app.service_key)


@pytest.fixture
def connect(app):
    """Makes async clients: `await connect()` with the anon key, `await connect(key)` with another."""

    async def make(key=None):
        http = httpx.AsyncClient(**AS_THE_CLIENTS_DO)
        options = AsyncClientOptions(
            auto_refresh_token=False, persist_session=False, httpx_client=http, realtime={"timeout": PATIENCE}
        )
        return await acreate_client(app.url, key or app.anon_key, options)

    return make


@dataclass(frozen=True)
class User:
    id: str
    email: str
    password: str
    client: Client


@pytest.fixture
def new_user(app, service):
    """Makes users that are confirmed and signed in: `new_user("ada")`."""

    def make(name: str, **attributes) -> User:
        email, password = f"{name}-{uuid.uuid4()}@example.com", f"password of {name}"
        created = service.auth.admin.create_user(
            {"email": email, "password": password, "email_confirm": True, **attributes}
        )
        signed_in = client(app, app.anon_key)
        signed_in.auth.sign_in_with_password({"email": email, "password": password})
        return User(created.user.id, email, password, signed_in)

    return make


def client(app, key: str) -> Client:
    http = httpx.Client(**AS_THE_CLIENTS_DO)
    options = ClientOptions(auto_refresh_token=False, persist_session=False, httpx_client=http)
    return create_client(app.url, key, options)
