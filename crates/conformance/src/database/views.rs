//! Views: read like tables, with the rights of their owner or of who asks.

use truststream_services::database::{DatabaseService, Filter, Query};

use super::build::{ALICE, BOB, QueryExt, as_role, insert, read, refused, refused_saying, signed_in};
use super::routines::programmed;
use crate::{Env, Outcome};

pub(super) async fn are_read_like_tables(env: Env<DatabaseService>) -> Outcome {
    let database = programmed(&env).await?;
    assert_eq!(
        read(&database, "prices_by_artist", Query::all().ordered(&["artist_id"])).await?,
        r#"[{"artist_id":1,"spent":21.50,"pieces":2},{"artist_id":2,"spent":null,"pieces":1},{"artist_id":null,"spent":0.99,"pieces":1}]"#
    );
    let query = Query::all().columns(&["id", "cost", "loud"]).ordered(&["cost"]);
    assert_eq!(
        read(&database, "titles", query.matching(Filter::eq("artist_id", "1"))).await?,
        r#"[{"id":1,"cost":9.50,"loud":"ONE!"},{"id":2,"cost":12.00,"loud":"TWO!"}]"#
    );
    let swedes = Query::all().columns(&["name"]).ordered(&["name"]);
    assert_eq!(read(&database, "swedes", swedes).await?, r#"[{"name":"Ada"},{"name":"D%_x"}]"#);
    refused(read(&database, "titles", Query::all().columns(&["price"])).await, "42703");
    Ok(())
}

pub(super) async fn are_embedded_by_the_keys_of_their_tables(env: Env<DatabaseService>) -> Outcome {
    let database = programmed(&env).await?;
    let query = Query::all().columns(&["title"]).ordered(&["id"]).embedding("artists", &["name"]);
    assert_eq!(
        read(&database, "titles", query).await?,
        r#"[{"title":"One","artists":{"name":"Ada"}},{"title":"Two","artists":{"name":"Ada"}},{"title":"Three","artists":{"name":"Bo"}}]"#
    );
    let query = Query::all().columns(&["name"]).ordered(&["name"]).embedding("titles", &["title"]);
    assert_eq!(
        read(&database, "swedes", query).await?,
        r#"[{"name":"Ada","titles":[{"title":"One"},{"title":"Two"}]},{"name":"D%_x","titles":[]}]"#
    );
    Ok(())
}

pub(super) async fn have_the_rights_they_were_made_with(env: Env<DatabaseService>) -> Outcome {
    let database = programmed(&env).await?;
    let notes = format!(
        r#"[{{"id":1,"owner":"{ALICE}","body":"a","shared":false}},{{"id":2,"owner":"{BOB}","body":"b","shared":false}},{{"id":3,"owner":"{BOB}","body":"c","shared":true}}]"#
    );
    insert(&database, "notes", &notes).await?;
    let alice = signed_in(&database, ALICE);
    let bodies = || Query::all().columns(&["body"]).ordered(&["id"]);
    let all = r#"[{"body":"a"},{"body":"b"},{"body":"c"}]"#;
    assert_eq!(read(&alice, "note_bodies", bodies()).await?, all);
    assert_eq!(read(&as_role(&database, "anon"), "note_bodies", bodies()).await?, all);
    assert_eq!(read(&alice, "own_notes", bodies()).await?, r#"[{"body":"a"},{"body":"c"}]"#);
    assert_eq!(read(&as_role(&database, "anon"), "own_notes", bodies()).await?, r#"[{"body":"c"}]"#);
    assert_eq!(read(&database, "own_notes", bodies()).await?, all);
    let denied = "permission denied for view titles";
    refused_saying(read(&alice, "titles", Query::all()).await, "42501", denied);
    Ok(())
}
