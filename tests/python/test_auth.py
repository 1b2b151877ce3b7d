"""Users and sessions with the official Python client."""

import base64
import json
import uuid

import pytest
from supabase import AuthApiError, AuthWeakPasswordError


def claims_of(token: str) -> dict:
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def new_email(name: str = "somebody") -> str:
    return f"{name}-{uuid.uuid4()}@example.com"


def refused(code: str, call) -> AuthApiError:
    with pytest.raises(AuthApiError) as raised:
        call()
    assert raised.value.code == code
    return raised.value


def test_sign_up_and_sign_in(anon):
    email = new_email()
    signed_up = anon.auth.sign_up({"email": email, "password": "long enough", "options": {"data": {"color": "red"}}})
    assert signed_up.user.email == email
    assert signed_up.user.user_metadata["color"] == "red"
    claims = claims_of(signed_up.session.access_token)
    assert (claims["sub"], claims["role"], claims["aal"]) == (signed_up.user.id, "authenticated", "aal1")
    signed_in = anon.auth.sign_in_with_password({"email": email, "password": "long enough"})
    assert signed_in.user.id == signed_up.user.id
    again = lambda: anon.auth.sign_up({"email": email, "password": "long enough"})
    assert refused("user_already_exists", again).status == 422


def test_wrong_and_weak_passwords(anon, new_user):
    ada = new_user("ada")
    for email in (ada.email, new_email()):
        sign_in = lambda: anon.auth.sign_in_with_password({"email": email, "password": "wrong"})
        error = refused("invalid_credentials", sign_in)
        assert (error.status, error.message) == (400, "Invalid login credentials")
    with pytest.raises(AuthWeakPasswordError) as raised:
        anon.auth.sign_up({"email": new_email(), "password": "weak"})
    assert raised.value.reasons == ["length"]


def test_refresh_rotates(new_user):
    ada = new_user("ada")
    before = ada.client.auth.get_session()
    after = ada.client.auth.refresh_session().session
    assert after.refresh_token != before.refresh_token
    assert claims_of(after.access_token)["session_id"] == claims_of(before.access_token)["session_id"]
    again = ada.client.auth.refresh_session(before.refresh_token).session
    assert again.refresh_token == after.refresh_token


def test_get_and_update_user(anon, new_user):
    ada = new_user("ada", user_metadata={"a": 1})
    assert ada.client.auth.get_user().user.id == ada.id
    updated = ada.client.auth.update_user({"data": {"b": 2}, "password": "a brand new one"}).user
    assert (updated.user_metadata["a"], updated.user_metadata["b"]) == (1, 2)
    refused("invalid_credentials", lambda: anon.auth.sign_in_with_password({"email": ada.email, "password": ada.password}))
    anon.auth.sign_in_with_password({"email": ada.email, "password": "a brand new one"})


def test_sign_out_ends_the_session(anon, new_user):
    ada = new_user("ada")
    session = ada.client.auth.get_session()
    ada.client.auth.sign_out()
    assert ada.client.auth.get_session() is None
    refused("refresh_token_not_found", lambda: anon.auth.refresh_session(session.refresh_token))


def test_sign_out_others(anon, new_user):
    ada = new_user("ada")
    other = anon.auth.sign_in_with_password({"email": ada.email, "password": ada.password}).session
    ada.client.auth.sign_out({"scope": "others"})
    refused("refresh_token_not_found", lambda: anon.auth.refresh_session(other.refresh_token))
    assert ada.client.auth.get_user().user.id == ada.id


def test_admin(anon, service, new_user):
    admin = service.auth.admin
    email = new_email("managed")
    user = admin.create_user({"email": email, "password": "long enough", "email_confirm": True}).user
    assert admin.get_user_by_id(user.id).user.email == email
    assert user.id in [one.id for one in admin.list_users(per_page=1000)]
    changed = admin.update_user_by_id(user.id, {"app_metadata": {"plan": "pro"}}).user
    assert changed.app_metadata["plan"] == "pro"
    session = anon.auth.sign_in_with_password({"email": email, "password": "long enough"}).session
    assert claims_of(session.access_token)["app_metadata"]["plan"] == "pro"
    admin.delete_user(user.id)
    assert refused("user_not_found", lambda: admin.get_user_by_id(user.id)).status == 404


def test_only_the_service_role_is_admin(anon, new_user):
    ada = new_user("ada")
    assert refused("not_admin", lambda: anon.auth.admin.list_users()).status == 403
    assert refused("not_admin", lambda: anon.auth.admin.delete_user(ada.id)).status == 403
    assert ada.client.auth.get_user().user.id == ada.id
