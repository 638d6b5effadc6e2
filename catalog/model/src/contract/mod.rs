//! The suite that every store must pass. A store's tests call [`catalog_contract!`](crate::catalog_contract)
//! once; each case then is a test of its own, on a fresh catalog.

#![expect(clippy::unwrap_used, reason = "these are tests; they stand here so that every store runs the same")]
#![expect(clippy::panic, reason = "a case that finds something else says what")]
#![expect(missing_docs, reason = "a case's name says what must hold")]

pub mod access;
pub mod audit;
pub mod budget;
pub mod completion;
pub mod datasets;
pub mod files;
mod fixtures;
pub mod jobs;
pub mod lineage;
pub mod outbox;
pub mod runs;
pub mod schedules;
pub mod steps;
pub mod versions;
pub mod watch;

/// Makes one `#[tokio::test]` of each case. `$open` is an async function beside the call that returns a
/// fresh catalog and whatever must live as long (a temporary folder, a database process).
#[macro_export]
macro_rules! catalog_contract {
    (@cases $open:ident; $($module:ident: $($case:ident),+;)+) => {
        $(mod $module {
            use super::$open;

            $(#[tokio::test]
            async fn $case() {
                let (catalog, _guard) = $open().await;
                $crate::contract::$module::$case(&catalog).await;
            })+
        })+
    };
    ($open:ident) => {
        $crate::catalog_contract! { @cases $open;
            access:
                the_built_in_roles_are_there,
                rights_come_through_roles_of_roles,
                what_is_revoked_or_left_is_gone,
                a_grant_given_twice_is_there_once,
                a_name_is_taken_once,
                a_dropped_user_leaves_no_right_and_opens_no_table,
                policies_are_kept_by_table,
                rights_on_a_dropped_table_do_not_come_back,
                a_failed_change_changes_nothing,
                a_run_names_its_actor;
            audit:
                before_the_log_starts_nothing_is_a_record,
                a_log_starts_once,
                records_are_numbered_in_order,
                a_completed_step_is_a_record,
                a_failed_outcome_leaves_no_record,
                a_failed_step_is_a_record,
                runs_of_pipelines_are_records,
                a_job_is_a_record_when_it_comes_and_when_it_goes,
                a_grant_is_a_record_with_whom_and_what,
                an_untouched_log_holds,
                every_record_is_proved,
                another_key_is_not_trusted;
            budget:
                a_policy_is_kept_as_it_was_set,
                a_policy_that_makes_no_sense_is_refused,
                a_release_is_paid_for_before_it_is_seen,
                ten_tenths_fit_under_one,
                delta_has_a_cap_of_its_own,
                all_accounts_are_charged_or_none,
                a_role_is_capped_beside_everybody,
                without_a_policy_nothing_limits_and_all_is_counted,
                a_copy_is_on_the_account_of_its_original,
                edges_lead_to_the_original_where_nothing_was_pinned,
                a_file_leads_to_what_was_exported_to_it,
                a_dataset_reached_twice_is_charged_once,
                a_table_made_anew_keeps_its_account,
                a_key_gives_its_release_again,
                a_key_that_asks_for_something_else_is_refused,
                a_charge_in_hand_is_waited_for,
                who_falls_silent_is_taken_over_and_paid_once,
                a_renewed_charge_is_not_taken_over,
                a_late_release_counts_if_nobody_took_over,
                a_charge_is_released_once,
                a_burned_charge_stays_paid_for,
                a_result_is_small_or_lies_elsewhere,
                a_charge_that_makes_no_sense_is_refused,
                a_policy_admits_what_it_says,
                a_policy_is_loosened_only_on_the_record,
                a_cap_below_what_is_spent_leaves_nothing,
                a_question_is_answered_by_its_newest_release,
                charges_come_newest_first,
                charges_are_chained,
                what_happens_to_a_charge_is_a_record_without_its_result;
            datasets:
                a_fresh_catalog_is_empty,
                an_unknown_name_is_none,
                an_unknown_id_is_not_found,
                an_output_makes_its_table,
                a_dataset_is_found_by_id,
                names_keep_case_and_quotes,
                one_table_name_in_two_schemas,
                datasets_come_by_name,
                schemas_come_by_name_once,
                files_make_no_schema,
                a_dropped_table_is_hidden_but_kept,
                a_name_made_again_is_a_new_dataset,
                one_outcome_may_drop_and_make_a_name,
                dropping_twice_is_not_found,
                a_view_is_no_table,
                a_table_does_not_move,
                the_file_schema_takes_no_tables,
                a_policy_stays_until_another_is_set;
            versions:
                a_version_keeps_what_was_written,
                columns_keep_every_property,
                columns_keep_their_order,
                a_column_name_stands_once,
                the_latest_version_has_the_highest_number,
                a_dataset_comes_with_its_newest_version,
                a_version_is_found_by_number,
                an_unknown_version_id_is_not_found,
                an_unknown_dataset_has_no_versions,
                versions_come_oldest_first,
                one_number_is_written_once,
                views_are_counted_by_the_store,
                time_travel_finds_the_version_of_then,
                before_the_first_version_there_is_none,
                an_instant_may_have_an_offset,
                what_is_no_instant_is_refused,
                times_are_utc_with_milliseconds;
            files:
                a_file_becomes_a_dataset,
                the_same_file_is_the_same_version,
                new_content_is_the_next_version,
                old_content_is_its_old_version,
                the_same_content_elsewhere_is_another_file,
                other_columns_are_another_version,
                a_loaded_file_is_remembered,
                another_contract_loads_again,
                files_add_up_while_the_table_grows,
                a_changed_table_remembers_its_files,
                a_replaced_table_forgets_its_files,
                a_dropped_table_forgets_its_files,
                one_file_is_loaded_once,
                a_file_is_loaded_into_a_table_that_is_there;
            runs:
                a_run_starts_running,
                a_run_starts_once,
                an_unknown_run_is_not_found,
                a_run_ends,
                a_run_does_not_end_as_running,
                a_failed_run_is_resumed,
                runs_come_newest_first,
                the_latest_run_is_of_its_pipeline,
                a_statement_has_no_pipeline;
            steps:
                a_step_starts_with_attempt_one,
                an_unknown_step_is_none,
                inputs_are_pinned_in_order,
                an_unknown_input_is_not_found,
                a_failed_step_says_why,
                a_failed_step_gets_its_next_attempt,
                a_killed_step_gets_its_next_attempt,
                a_step_that_succeeded_does_not_start_again,
                a_skipped_step_counts_no_attempt,
                only_two_states_skip,
                a_step_blocked_on_resume_refuses_its_old_attempt,
                steps_come_in_order,
                the_last_success_is_of_any_run,
                the_newer_success_is_the_last,
                failing_needs_the_running_attempt,
                an_unknown_step_id_is_not_found;
            completion:
                a_completed_step_has_its_numbers,
                outputs_come_in_the_order_given,
                a_version_knows_its_step,
                two_versions_of_one_table_in_one_step,
                completing_twice_is_stale,
                an_older_attempt_is_stale,
                a_failed_step_cannot_complete,
                a_failing_outcome_leaves_nothing,
                after_a_failing_outcome_the_attempt_may_still_complete,
                operators_keep_options_and_report,
                an_exported_file_is_an_output_of_the_schema_file,
                the_previous_version_is_of_the_same_table,
                the_check_counts_what_there_is;
            jobs:
                a_job_waits_until_it_is_taken,
                a_job_keeps_what_it_was_given,
                a_job_that_makes_no_sense_is_refused,
                a_key_names_one_job_whatever_became_of_it,
                the_oldest_is_first_unless_priority_says_otherwise,
                waiting_makes_up_for_priority,
                a_group_runs_so_many_at_once,
                a_claim_takes_as_many_as_there_is_room_for,
                each_of_several_ends_is_for_itself,
                a_silent_worker_holds_no_place_in_a_group,
                only_the_holder_ends_a_job,
                a_lease_that_is_over_writes_nothing,
                a_renewed_lease_goes_on,
                what_may_pass_is_tried_again,
                the_next_attempt_waits_as_long_as_was_said,
                what_stays_wrong_is_not_tried_again,
                a_job_that_loses_its_workers_is_given_up,
                a_job_given_back_has_not_failed,
                a_waiting_job_is_cancelled_at_once,
                a_running_job_hears_that_it_is_cancelled,
                a_cancelled_job_is_not_tried_again,
                what_is_done_is_done_though_it_was_cancelled,
                a_dead_job_is_run_again,
                only_what_ended_badly_is_run_again,
                a_run_ends_with_its_job,
                a_job_ends_with_the_record_of_its_step,
                a_step_under_a_lease_that_is_over_records_nothing,
                an_attempt_whose_lease_is_over_begins_no_step,
                a_job_given_up_fails_its_run,
                an_unknown_job_is_not_found,
                jobs_come_newest_first,
                times_of_a_job_come_from_the_database;
            schedules:
                a_schedule_keeps_what_it_was_given,
                a_schedule_that_makes_no_sense_is_refused,
                a_changed_schedule_keeps_its_next_firing_if_the_rule_stays,
                what_is_due_is_on_the_agenda,
                a_firing_makes_slot_and_job_and_moves_on,
                only_the_first_scheduler_fires,
                a_schedule_that_was_changed_meanwhile_does_not_fire,
                only_the_database_says_what_time_it_is,
                a_firing_that_fails_leaves_nothing,
                a_paused_schedule_is_not_due_until_it_is_resumed,
                a_dropped_schedule_is_gone_and_its_slots_stay,
                a_new_version_of_a_table_is_seen_once,
                a_table_that_is_made_anew_is_new,
                a_run_that_succeeds_is_seen_in_the_order_of_ends,
                files_are_kept_with_their_trigger,
                a_trigger_that_stays_goes_on_from_where_it_was,
                late_jobs_are_found,
                late_jobs_are_told_by_the_bounds_of_now,
                figures_tell_of_schedules,
                a_backfill_goes_through_its_range_a_few_at_a_time,
                a_backfill_passes_over_what_has_a_good_job,
                a_cancelled_backfill_takes_its_waiting_jobs_along,
                a_backfill_that_makes_no_sense_is_refused,
                what_people_do_with_a_schedule_is_a_record;
            lineage:
                a_version_without_edges_has_no_lineage,
                upstream_reaches_the_file,
                a_column_brings_the_edges_of_its_version,
                a_column_does_not_bring_its_neighbours,
                downstream_of_a_file_column,
                downstream_of_a_whole_version,
                what_a_filter_decides_goes_on_downstream,
                depth_limits_both_ways,
                depth_zero_is_empty,
                a_row_carries_run_and_step,
                masking_is_kept,
                every_kind_is_kept,
                an_unknown_origin_is_said_to_be,
                an_edge_given_twice_is_there_once,
                a_diamond_comes_once_at_its_nearest,
                a_changed_table_leads_to_the_version_before,
                the_store_adds_no_edges,
                lineage_outlives_a_drop,
                edges_go_to_the_output_they_name,
                an_edge_names_columns_that_are_there,
                an_edge_names_an_output_that_is_there,
                an_edge_does_not_come_from_its_own_step,
                lineage_of_what_is_not_there_is_not_found,
                wide_lineage_is_whole;
            outbox:
                a_fresh_outbox_is_empty,
                every_transition_waits_in_its_order,
                a_change_carries_time_and_reason_of_its_transition,
                a_cancelled_attempt_is_aborted,
                a_killed_attempt_is_aborted_when_it_is_found,
                resuming_an_open_run_is_no_change,
                what_is_refused_leaves_no_change,
                what_was_told_waits_no_more_and_stays,
                a_limit_takes_the_oldest,
                a_failure_is_kept_and_the_change_waits,
                a_held_change_keeps_back_its_run_alone,
                changes_are_listed_by_run,
                old_changes_are_forgotten_once_told,
                the_outbox_has_one_holder;
            watch:
                a_worker_says_what_it_is_doing,
                a_worker_that_was_killed_is_silent,
                lines_of_an_attempt_come_in_order,
                a_line_is_as_long_as_a_line,
                a_job_is_found_by_its_run,
                a_pipeline_that_fails_and_recovers_alerts_once_each,
                a_statement_and_a_stop_alert_nobody,
                an_alert_is_raised_once_and_told_until_all_know,
                figures_count_what_there_is;
        }
    };
}

#[cfg(test)]
mod tests {
    const LIST: &str = include_str!("mod.rs");
    const CASES: [&str; 14] = [
        include_str!("access.rs"),
        include_str!("audit.rs"),
        include_str!("budget.rs"),
        include_str!("completion.rs"),
        include_str!("datasets.rs"),
        include_str!("files.rs"),
        include_str!("jobs.rs"),
        include_str!("lineage.rs"),
        include_str!("outbox.rs"),
        include_str!("runs.rs"),
        include_str!("schedules.rs"),
        include_str!("steps.rs"),
        include_str!("versions.rs"),
        include_str!("watch.rs"),
    ];

    #[test]
    fn every_case_is_listed() {
        let names = CASES.iter().flat_map(|text| text.split("pub async fn ").skip(1));
        let names: Vec<&str> = names.filter_map(|rest| rest.split('(').next()).collect();
        assert!(names.len() >= 50, "{}", names.len());
        let listed: Vec<&str> = LIST.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        for name in names {
            assert!(listed.contains(&name), "`{name}` is missing in catalog_contract!");
        }
    }
}
