//! Files: a bucket, uploads, a listing, a token that lets somebody else download.
//!
//! `cargo run -p truststream --example storage`

use truststream::TrustStream;
use truststream::storage::BucketSettings;

#[tokio::main]
async fn main() -> truststream::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "storage-data".to_owned());
    let db = TrustStream::embedded(folder).await?;
    let storage = db.storage();

    if !storage.list_buckets().await?.iter().any(|bucket| bucket.name == "covers") {
        let settings = BucketSettings { file_size_limit: Some(1 << 20), ..BucketSettings::default() };
        storage.create_bucket("covers", settings).await?;
    }

    let covers = storage.from("covers");
    let text = "a trumpet, in blue".as_bytes();
    covers.upload("1959/kind-of-blue.txt", text).content_type("text/plain").upsert().await?;

    for file in covers.list("1959").await? {
        let size = file.metadata.map_or(0, |metadata| metadata.size);
        println!("1959/{}: {size} bytes", file.name);
    }
    let bytes = covers.read("1959/kind-of-blue.txt", 1 << 20).await?;
    println!("it says: {}", String::from_utf8_lossy(&bytes));

    let token = covers.signed_download("1959/kind-of-blue.txt", 60).await?;
    println!("for a minute: /storage/v1/object/sign/covers/1959/kind-of-blue.txt?token={token}");
    db.close().await;
    Ok(())
}
