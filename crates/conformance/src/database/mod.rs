//! The cases of the Database service.

mod aggregates;
mod apply;
mod attacks;
mod batches;
mod bodies;
mod build;
mod composites;
mod computed;
mod concurrency;
mod constraints;
mod embeds;
mod feed;
mod fence;
mod filters;
mod handlers;
mod keys;
mod migrations;
mod names;
mod operators;
mod packed;
mod partition_checks;
mod partition_hashes;
mod partition_levels;
mod partition_policies;
mod partition_rules;
mod partition_shares;
mod partitions;
mod policies;
mod prepare;
mod programs;
mod raw;
mod reading;
mod representations;
mod returning;
mod routines;
mod scanning;
mod schemas;
mod singular;
mod strictness;
mod texts;
mod transactions;
mod triggers;
mod truncation;
mod upserts;
mod values;
mod views;
mod writing;

pub use build::SCHEMA;

use truststream_services::database::DatabaseFeature::{
    Aggregates, ChangeFeed, CompositeColumns, Embeds, Fences, Functions, Handlers, Partitions, Policies,
    RawQueries, Regex, Representations, Snapshots, Transactions,
};
use truststream_services::database::DatabaseService;

use crate::{Case, cases};

/// All cases of the Database service. Instances must be empty: each case applies what it needs.
pub const CASES: &[Case<DatabaseService>] = cases!(DatabaseService {
    migrations::are_applied_once,
    migrations::are_atomic,
    migrations::with_another_text_are_refused,
    migrations::can_be_tried,
    migrations::are_listed_in_order,
    migrations::are_named_without_texts,
    migrations::describe_the_catalog,
    migrations::can_be_taken_back,
    migrations::can_be_recorded_and_forgotten,
    migrations::can_be_rehearsed,
    schemas::as_pg_dump_writes_them,
    schemas::rename_what_rows_stand_in,
    schemas::are_verified_against_rows,
    schemas::have_keys_that_take_one_null,
    schemas::have_indexes_of_one_name_each,
    reading::all_columns_of_all_rows,
    reading::chosen_columns_renamed_and_cast,
    reading::paths_into_json,
    reading::orders,
    reading::nulls_go_where_they_are_told,
    reading::limits_and_offsets,
    reading::counts,
    reading::an_empty_table_is_an_empty_list,
    reading::csv,
    operators::comparisons,
    operators::patterns,
    operators::lists_and_nulls,
    operators::containment,
    operators::json_paths,
    operators::regular_expressions: Regex,
    filters::logic,
    filters::of_every_type,
    filters::quantifiers,
    filters::literals_are_never_sql,
    filters::wrong_literals_are_refused,
    values::booleans_and_integers,
    values::floats,
    values::numerics,
    values::texts,
    values::uuids_and_enums,
    values::points_in_time,
    values::dates_times_and_intervals,
    values::json,
    values::bytes,
    values::arrays,
    values::wrong_values_are_refused,
    values::json_texts_and_numbers_are_coerced,
    writing::one_row,
    writing::many_rows,
    writing::defaults_fill_what_is_missing,
    writing::chosen_columns,
    writing::updates,
    writing::deletes,
    writing::malformed_bodies_are_refused,
    writing::more_rows_than_allowed_are_undone,
    writing::what_is_rolled_back_is_gone,
    writing::rows_are_written_all_or_none,
    returning::representations,
    returning::nothing_unless_asked,
    returning::the_key_of_an_inserted_row,
    keys::have_to_be_given,
    keys::are_no_excuse_for_half_a_row,
    keys::are_not_changed_where_the_database_counts,
    keys::that_there_are_not_are_told,
    keys::embeds_of_one_name_are_refused: Embeds,
    keys::of_no_value_are_left_out_everywhere,
    keys::of_no_number_add_up_to_none: Aggregates,
    keys::have_letters_of_both_cases: Functions,
    keys::stand_above_csv_if_they_are_shown,
    keys::let_go_of_rows_that_go_together,
    upserts::merge,
    upserts::ignore,
    upserts::by_another_key,
    upserts::several_rows,
    singular::one_row_is_an_object,
    singular::none_or_many_are_refused,
    singular::a_write_of_many_is_undone,
    constraints::unique,
    constraints::foreign_keys,
    constraints::not_null,
    constraints::checks,
    constraints::checks_of_domains,
    constraints::cascades,
    constraints::generated_columns,
    names::unknown_tables,
    names::unknown_columns,
    names::odd_names,
    names::ambiguities_name_what_the_caller_may_see: Embeds,
    batches::are_applied_in_order,
    batches::are_all_or_none,
    batches::fail_unless_as_many_rows_as_expected,
    transactions::in_one_call_name_the_step_that_failed,
    transactions::see_their_own_steps_and_commit_them: Transactions,
    transactions::leave_nothing_unless_committed: Transactions,
    transactions::end_after_a_step_that_failed: Transactions,
    transactions::act_for_the_caller_of_each_step: Transactions,
    transactions::of_reads_see_one_moment: Snapshots,
    transactions::that_lose_are_told_so: Transactions,
    transactions::that_last_too_long_are_undone: Transactions,
    embeds::parents_and_children: Embeds,
    embeds::through_a_third_table: Embeds,
    embeds::filtered_and_ordered: Embeds,
    embeds::inner_joins_drop_parents: Embeds,
    embeds::spread: Embeds,
    embeds::unknown_relations_are_refused: Embeds,
    bodies::are_written_like_those_in_memory,
    bodies::that_are_wrong_leave_nothing,
    bodies::of_replies_are_spooled_where_that_is_allowed,
    texts::of_json_are_kept: Functions,
    texts::are_led_into_as_json,
    texts::match_in_checks: Regex,
    texts::are_taken_from_both_ends: Functions,
    texts::are_made_and_matched_in_programs: Functions,
    aggregates::over_all_rows: Aggregates,
    aggregates::of_large_numbers: Aggregates,
    aggregates::by_group: Aggregates,
    aggregates::by_what_casts_make: Aggregates,
    aggregates::beside_embeds_that_only_filter: Aggregates,
    aggregates::of_casts: Aggregates,
    aggregates::functions_are_called: Functions,
    routines::give_one_value: Functions,
    routines::are_called_by_get: Functions,
    routines::give_rows_to_take_from: Functions,
    routines::query_as_postgres_does: Functions,
    routines::write_what_they_say: Functions,
    routines::obey_policies_unless_they_are_definers: Functions,
    routines::decide_in_policies: Functions,
    raw::statements_are_run_with_bound_values: RawQueries,
    programs::move_rows_or_fail_whole: Functions,
    programs::loop_over_numbers_and_rows: Functions,
    programs::write_instead_of_a_view: Functions,
    programs::end_as_postgres_ends_them: Functions,
    handlers::undo_what_led_to_an_error: Handlers,
    handlers::tell_what_they_catch_and_let_the_rest_go: Handlers,
    handlers::run_texts_with_values: Handlers,
    handlers::write_within_with: Handlers,
    handlers::give_rows_of_a_type: Handlers,
    handlers::call_one_another: Handlers,
    handlers::catch_what_they_raise_themselves: Handlers,
    handlers::catch_errors_within_triggers: Handlers,
    composites::are_read_as_objects: CompositeColumns,
    composites::show_moments_in_the_zone_of_the_request: CompositeColumns,
    composites::are_written_as_objects_and_as_records: CompositeColumns,
    composites::are_filtered_by_their_fields_and_whole: CompositeColumns,
    composites::are_taken_apart_within_one_another: CompositeColumns,
    composites::are_taken_apart_in_functions: CompositeColumns,
    representations::are_shown_by_their_casts: Representations,
    representations::are_grouped_by_what_they_are: Representations,
    representations::are_read_in_filters: Representations,
    representations::are_named_in_errors_as_a_session_finds_them: Representations,
    representations::are_read_in_bodies: Representations,
    representations::are_those_of_views_and_functions: Representations,
    partitions::are_parts_of_one_table: Partitions,
    partitions::refuse_what_is_in_none_of_them: Partitions,
    partitions::are_read_by_their_names: Partitions,
    partitions::are_written_by_their_names: Partitions,
    partitions::fire_triggers_of_their_table: Partitions,
    partitions::are_written_by_those_who_may: Partitions,
    partitions::come_and_go: Partitions,
    partitions::become_tables_of_their_own: Partitions,
    partition_levels::are_read_and_written_by_their_names: Partitions,
    partition_levels::come_and_go_with_their_parts: Partitions,
    partition_rules::are_those_of_the_table_that_is_named: Partitions,
    partition_rules::are_those_of_the_partition_that_is_named: Partitions,
    partition_rules::hold_in_programs_too: Partitions,
    partition_hashes::decide_as_in_postgres: Partitions,
    partition_checks::hold_for_its_rows_only: Partitions,
    partition_checks::come_and_go: Partitions,
    partition_policies::hold_where_it_is_named: Partitions,
    partition_policies::hold_for_changes_too: Partitions,
    partition_shares::by_hashes_are_told_by_name: Partitions,
    partition_shares::keep_the_numbers_of_their_table: Partitions,
    truncation::takes_rows_without_telling_triggers: Partitions,
    truncation::lets_numbers_begin_anew: Partitions,
    truncation::is_undone_by_handlers: Handlers,
    truncation::leaves_nothing_that_refers_to_what_is_gone: Partitions,
    truncation::is_for_those_who_may: Partitions,
    truncation::takes_partitions_by_their_names: Partitions,
    truncation::is_told_row_by_row_in_the_feed: ChangeFeed,
    triggers::change_the_row_before_it_is_written: Functions,
    triggers::fire_on_the_updates_they_are_for: Functions,
    triggers::write_elsewhere_after_it: Functions,
    computed::columns_of_a_row: Functions,
    computed::relationships_of_a_row: Functions,
    computed::results_with_names: Functions,
    computed::settings_and_the_reply: Functions,
    computed::views_are_written_through: Functions,
    computed::views_of_who_asks_are_written_by_their_policies: Functions,
    computed::rights_on_columns_open_writes_to_them: Functions,
    views::are_read_like_tables: Functions,
    views::are_embedded_by_the_keys_of_their_tables: Functions,
    views::have_the_rights_they_were_made_with: Functions,
    views::are_written_by_policies_of_what_is_done: Policies,
    policies::anonymous_callers_see_what_is_shared: Policies,
    policies::owners_see_their_rows: Policies,
    policies::writes_are_checked: Policies,
    policies::without_a_policy_nothing_is_seen: Policies,
    policies::tables_without_security_are_closed: Policies,
    policies::the_service_role_sees_all: Policies,
    policies::rows_are_authorized_by_value: Policies,
    policies::counts_and_upserts_obey_too: Policies,
    policies::restrictive_ones_are_named_where_they_refuse: Policies,
    strictness::of_orders_of_groups: Aggregates,
    strictness::of_columns_of_results: Functions,
    strictness::of_keys_without_a_value: Functions,
    attacks::names_are_never_sql,
    attacks::paths_and_aliases_are_never_sql,
    attacks::relations_are_never_sql: Embeds,
    attacks::patterns_never_stall: Regex,
    attacks::searches_never_stall,
    attacks::what_is_hidden_answers_no_question: Policies,
    attacks::groups_count_what_is_seen: Aggregates,
    attacks::writes_tell_nothing_of_rows_they_may_not_make: Policies,
    attacks::bodies_mean_one_thing: Policies,
    attacks::callers_are_never_taken_for_one_another: Policies,
    feed::changes_come_in_order: ChangeFeed,
    feed::reading_goes_on_from_a_position: ChangeFeed,
    feed::only_captured_tables_are_read: ChangeFeed,
    feed::changes_are_found_behind_many_of_other_tables: ChangeFeed,
    feed::what_is_rolled_back_never_comes: ChangeFeed,
    feed::waiting_ends_when_a_change_comes: ChangeFeed,
    feed::cascades_are_captured: ChangeFeed,
    concurrency::writers_do_not_hinder_one_another,
    concurrency::readers_see_whole_transactions,
    concurrency::a_feed_read_while_written_loses_nothing: ChangeFeed,
    concurrency::a_copy_that_follows_ends_equal: ChangeFeed,
    scanning::chunks_in_key_order,
    scanning::keys_of_several_columns,
    scanning::every_type_is_read,
    scanning::between_two_keys_and_backwards,
    apply::rows_are_inserted_or_replaced,
    apply::a_chunk_of_a_copy_may_come_twice,
    apply::changes_are_applied_in_order,
    apply::a_stream_that_stands_elsewhere_is_stale,
    apply::rows_without_a_position_come_only_where_their_stream_stands,
    apply::rows_that_are_under_way_come_before_the_stream_moves,
    apply::changes_carry_their_origin: ChangeFeed,
    fence::closes_tables_to_all_but_its_streams: Fences,
    fence::is_not_closed_by_who_comes_late: Fences,
    fence::opens_by_itself_when_it_is_due: Fences,
    packed::rows_in_an_engines_own_form_are_the_same_rows,
    packed::rows_in_an_engines_own_form_have_bounds_and_a_stream,
    prepare::rows_arrive_in_any_order,
    prepare::a_database_with_rows_is_refused,
    prepare::identities_go_on_after_the_largest,
    prepare::what_is_asked_for_late_is_not_done,
});
