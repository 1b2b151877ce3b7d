//! The cases of the Objects service.

mod cases;

use truststream_services::objects::ObjectsFeature::Ranges;
use truststream_services::objects::ObjectsService;

use crate::{Case, cases};

/// All cases of the Objects service. Instances must be empty.
pub const CASES: &[Case<ObjectsService>] = cases!(ObjectsService {
    cases::what_is_stored_is_read,
    cases::a_put_replaces,
    cases::parts_are_read: Ranges,
    cases::what_is_missing_is_not_found,
    cases::removal,
    cases::keys_are_listed_sorted,
    cases::odd_keys_are_kept_apart,
    cases::keys_never_leave_the_root,
    cases::large_bodies_are_streamed,
    cases::a_failed_put_leaves_the_old,
    cases::readers_see_whole_objects,
    cases::it_answers,
});
