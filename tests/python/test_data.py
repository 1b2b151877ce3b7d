"""Reading and writing rows with the official Python client."""

import pytest
from postgrest.exceptions import APIError


def test_select_with_filters_order_and_range(anon):
    query = anon.table("artists").select("id, name").gt("rating", 7).order("rating", desc=True)
    assert query.execute().data == [
        {"id": 3, "name": "Mira Sol"},
        {"id": 1, "name": "Nova Quartet"},
        {"id": 2, "name": "The Gray Area"},
    ]
    page = anon.table("artists").select("id", count="exact").order("id").range(1, 2).execute()
    assert page.data == [{"id": 2}, {"id": 3}]
    assert page.count == 5


def test_logic_and_lists(anon):
    rows = anon.table("artists").select("id").or_("rating.gt.9,country.eq.GB").order("id").execute().data
    assert rows == [{"id": 2}, {"id": 3}]
    rows = anon.table("albums").select("id").in_("title", ["Steel, Glass & Rain", "Norr"]).order("id").execute().data
    assert rows == [{"id": 4}, {"id": 6}]
    rows = anon.table("artists").select("id").not_.is_("rating", "null").ilike("name", "%o%").order("id").execute().data
    assert rows == [{"id": 1}, {"id": 3}]


def test_embeds_renames_casts_and_json_paths(anon):
    query = anon.table("albums").select("title, by:artists(name), cost:price::text, label:info->>label, tracks(title)")
    assert query.eq("id", 5).execute().data == [
        {"title": "Verano", "by": {"name": "Mira Sol"}, "cost": "1.29", "label": "Sol", "tracks": [{"title": "Verano"}]}
    ]


def test_single_and_maybe_single(anon):
    assert anon.table("artists").select("name").eq("id", 1).single().execute().data == {"name": "Nova Quartet"}
    with pytest.raises(APIError) as raised:
        anon.table("artists").select("name").single().execute()
    assert raised.value.code == "PGRST116"
    assert anon.table("artists").select("name").eq("id", 999).maybe_single().execute() is None


def test_insert_upsert_update_delete(service):
    products = lambda: service.table("products")
    row = products().insert({"sku": "py-1", "name": "one", "price": 1.5}).execute().data[0]
    assert (row["name"], row["price"], row["stock"], row["tags"]) == ("one", 1.5, 0, [])
    rows = products().upsert([{"sku": "py-1", "name": "uno"}, {"sku": "py-2", "name": "dos"}], on_conflict="sku").execute().data
    assert [(one["sku"], one["name"]) for one in rows] == [("py-1", "uno"), ("py-2", "dos")]
    rows = products().update({"stock": 7, "attrs": {"a": [1]}}).eq("sku", "py-2").execute().data
    assert [(one["stock"], one["attrs"]) for one in rows] == [(7, {"a": [1]})]
    deleted = products().delete(count="exact").like("sku", "py-%").execute()
    assert sorted(one["sku"] for one in deleted.data) == ["py-1", "py-2"]
    assert deleted.count == 2


@pytest.mark.parametrize(
    ("table", "values", "code"),
    [
        ("products", {"sku": "py-x", "name": "x", "price": -1}, "23514"),
        ("products", {"sku": "py-x"}, "23502"),
        ("products", {"sku": "py-x", "name": "x", "nope": 1}, "PGRST204"),
        ("products", {"sku": "py-x", "name": "x", "stock": "many"}, "22P02"),
        ("albums", {"artist_id": 999, "title": "x"}, "23503"),
        ("artists", {"name": "Mira Sol"}, "23505"),
        ("nothing", {"a": 1}, "PGRST205"),
    ],
)
def test_errors_keep_their_codes(service, table, values, code):
    with pytest.raises(APIError) as raised:
        service.table(table).insert(values).execute()
    assert raised.value.code == code
    assert raised.value.message


def test_policies(anon, service, new_user):
    ada, bob = new_user("ada"), new_user("bob")
    mine = ada.client.table("todos").insert({"title": "hers"}).execute().data[0]
    assert mine["user_id"] == ada.id
    assert bob.client.table("todos").select("*").eq("id", mine["id"]).execute().data == []
    assert anon.table("todos").select("*", count="exact").execute().count == 0
    assert bob.client.table("todos").update({"done": True}).eq("id", mine["id"]).execute().data == []
    with pytest.raises(APIError) as raised:
        bob.client.table("todos").insert({"title": "forged", "user_id": ada.id}).execute()
    assert raised.value.code == "42501"
    assert len(service.table("todos").select("*").eq("id", mine["id"]).execute().data) == 1
    with pytest.raises(APIError) as raised:
        ada.client.table("audit_log").select("*").execute()
    assert raised.value.code == "42501"
