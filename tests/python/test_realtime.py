"""Changes and broadcasts with the official async Python client (protocol version 1)."""

import asyncio

import pytest
from realtime import RealtimeSubscribeStates
from servers import PATIENCE


class Inbox:
    """What a channel was told, in order."""

    def __init__(self):
        self.queue = asyncio.Queue()

    def put(self, message):
        self.queue.put_nowait(message)

    async def next(self):
        return await asyncio.wait_for(self.queue.get(), PATIENCE)


async def joined(channel):
    """Subscribes and waits for the answer."""
    answer = asyncio.get_running_loop().create_future()

    def on_state(state, error):
        if answer.done():
            return
        if state == RealtimeSubscribeStates.SUBSCRIBED:
            answer.set_result(channel)
        else:
            answer.set_exception(RuntimeError(f"{state}: {error}"))

    await channel.subscribe(on_state)
    return await asyncio.wait_for(answer, PATIENCE)


async def follow(client, name, **wish):
    """Follows a table: the inbox of its changes, once the server says that it follows too."""
    inbox, following = Inbox(), asyncio.Event()
    channel = client.channel(name)
    channel.on_postgres_changes(
        wish.pop("event", "*"), schema="public", callback=lambda message: inbox.put(message["data"]), **wish
    )
    channel.on_system(lambda message: following.set())
    await joined(channel)
    await asyncio.wait_for(following.wait(), PATIENCE)
    return inbox


async def listen(client, name, config=None):
    inbox = Inbox()
    channel = client.channel(name, {"config": config or {"broadcast": {"self": False, "ack": False}}})
    channel.on_broadcast("*", inbox.put)
    await joined(channel)
    return channel, inbox


@pytest.fixture
async def clients(connect):
    """Async clients that are disconnected at the end."""
    made = []

    async def make(key=None):
        made.append(await connect(key))
        return made[-1]

    yield make
    for client in made:
        await client.remove_all_channels()
        await client.realtime.close()


async def test_insert_update_delete(app, clients):
    service = await clients(app.service_key)
    inbox = await follow(service, "all", table="messages")
    row = (await service.table("messages").insert({"room": "den", "body": "one"}).execute()).data[0]
    insert = await inbox.next()
    assert (insert["type"], insert["schema"], insert["table"]) == ("INSERT", "public", "messages")
    assert (insert["record"]["id"], insert["record"]["body"]) == (row["id"], "one")
    await service.table("messages").update({"body": "two"}).eq("id", row["id"]).execute()
    update = await inbox.next()
    assert (update["type"], update["record"]["body"], update["old_record"]["id"]) == ("UPDATE", "two", row["id"])
    await service.table("messages").delete().eq("id", row["id"]).execute()
    delete = await inbox.next()
    assert (delete["type"], delete["old_record"]["id"]) == ("DELETE", row["id"])


async def test_filter(app, clients):
    service = await clients(app.service_key)
    inbox = await follow(service, "filtered", table="messages", event="INSERT", filter="room=eq.attic")
    rows = [{"room": "den", "body": "no"}, {"room": "attic", "body": "yes"}]
    await service.table("messages").insert(rows).execute()
    assert (await inbox.next())["record"]["body"] == "yes"


async def test_policies(app, clients, new_user):
    ada, bob = new_user("ada"), new_user("bob")
    inboxes = []
    for user in (ada, bob):
        client = await clients()
        await client.auth.sign_in_with_password({"email": user.email, "password": user.password})
        inboxes.append(await follow(client, f"policy-{user.id}", table="messages"))
    hers, his = inboxes
    for room, body in (("den", "to herself"), ("lobby", "to all")):
        await asyncio.to_thread(ada.client.table("messages").insert({"room": room, "body": body}).execute)
    assert [(await hers.next())["record"]["body"] for _ in range(2)] == ["to herself", "to all"]
    assert (await his.next())["record"]["body"] == "to all"


async def test_broadcast(clients):
    one, _ = await listen(await clients(), "room")
    _, inbox = await listen(await clients(), "room")
    payload = {"text": "grüße 🎷", "list": [1, None, {"deep": True}]}
    await one.send_broadcast("hello", payload)
    message = await inbox.next()
    assert (message["event"], message["payload"]) == ("hello", payload)


async def test_broadcast_to_oneself(clients):
    channel, inbox = await listen(await clients(), "echo", {"broadcast": {"self": True, "ack": True}})
    await channel.send_broadcast("m", {"n": 1})
    assert (await inbox.next())["payload"] == {"n": 1}
