"""The rules that only an executed plan can show (EXPLAIN ANALYZE, auto_explain.log_analyze); silent on estimates."""

from __future__ import annotations

from premortem.rules import (
    correlated_columns_without_statistics,
    hash_spills_to_disk,
    index_only_scan_visits_heap,
    index_recheck_discards_rows,
    jit_takes_longer_than_it_saves,
    join_filter_discards_rows,
    lossy_bitmap,
    memoize_cache_misses,
    nested_loop_runs_too_often,
    planning_slower_than_execution,
    reads_from_disk,
    row_estimate_wrong,
    slow_trigger,
    sort_spills_to_disk,
    temporary_file_written,
    wal_mostly_full_pages,
    workers_not_launched,
)

EXECUTION_MODULES = (
    correlated_columns_without_statistics,
    row_estimate_wrong,
    nested_loop_runs_too_often,
    sort_spills_to_disk,
    hash_spills_to_disk,
    temporary_file_written,
    lossy_bitmap,
    index_recheck_discards_rows,
    index_only_scan_visits_heap,
    join_filter_discards_rows,
    slow_trigger,
    memoize_cache_misses,
    workers_not_launched,
    jit_takes_longer_than_it_saves,
    planning_slower_than_execution,
    reads_from_disk,
    wal_mostly_full_pages,
)
