//! What a request to Storage is called where policies ask for it (`storage.operation()`).
//!
//! Names: Supabase Storage, `src/http/routes/operations.ts`. Its tables refuse to lose rows unless
//! `storage.allow_delete_query` says that whoever removes them removes the bytes as well.

use truststream_kernel::Settings;

const NAME: &str = "storage.operation";
const MAY_DELETE: (&str, &str) = ("storage.allow_delete_query", "true");

macro_rules! operations {
    ($($constant:ident = $name:literal $(, $more:expr)*;)*) => {
        $(
            #[doc = concat!("`", $name, "`")]
            pub const $constant: Settings = &[(NAME, $name) $(, $more)*];
        )*
    };
}

operations! {
    CREATE_BUCKET = "storage.bucket.create";
    GET_BUCKET = "storage.bucket.get";
    LIST_BUCKETS = "storage.bucket.list";
    UPDATE_BUCKET = "storage.bucket.update";
    EMPTY_BUCKET = "storage.bucket.empty", MAY_DELETE;
    DELETE_BUCKET = "storage.bucket.delete", MAY_DELETE;
    UPLOAD = "storage.object.upload";
    UPDATE_OBJECT = "storage.object.upload_update";
    DOWNLOAD = "storage.object.get_authenticated";
    INFO = "object.get_authenticated_info";
    HEAD = "object.head_authenticated_info";
    LIST_OBJECTS = "storage.object.list";
    REMOVE_OBJECT = "storage.object.delete", MAY_DELETE;
    REMOVE_OBJECTS = "storage.object.delete_many", MAY_DELETE;
    MOVE_OBJECT = "storage.object.move";
    COPY_OBJECT = "storage.object.copy";
    SIGN_DOWNLOAD = "storage.object.sign";
    SIGN_DOWNLOADS = "storage.object.sign_many";
    SIGN_UPLOAD = "storage.object.sign_upload_url";
}
