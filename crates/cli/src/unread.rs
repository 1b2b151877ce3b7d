//! Output that nobody reads to its end: `truststream switch status | head`.

use std::error::Error as _;
use std::io;

use truststream_kernel::Error;

/// What the standard library says when it can't print because whoever read has gone.
const GONE: &str = "failed printing to stdout: Broken pipe";

/// From now on the process ends, as one that has done its work, where it would panic for that.
pub fn end_quietly() {
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload_as_str().is_some_and(|said| said.starts_with(GONE)) {
            std::process::exit(0);
        }
        told(panic);
    }));
}

/// Whether rows could not be written because whoever read them has gone.
pub fn is_unread(error: &Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
