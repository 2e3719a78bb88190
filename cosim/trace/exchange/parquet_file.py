"""Parquet, for pandas and cicwave, which takes a column `time` for the time in seconds."""

from collections.abc import Sequence
from pathlib import Path

from cosim.trace.exchange.ordered import ordered_blocks
from cosim.trace.optional import optional
from cosim.trace.table import Table


def write_parquet(path: Path, table: Table, names: Sequence[str]) -> None:
    """Write 'time' and signals [names] of a table, with the units in the fields' metadata.

    Raises:
        TraceError: pyarrow is not installed.
    """
    arrow, parquet = optional("pyarrow"), optional("pyarrow.parquet")
    units = [("time", "s"), *((name, table[name].unit) for name in names)]
    schema = arrow.schema(
        [arrow.field(name, arrow.float64(), metadata={"units": unit}) for name, unit in units]
    )
    with parquet.ParquetWriter(path, schema) as writer:
        for time_second, values in ordered_blocks(table, names):
            writer.write_batch(arrow.record_batch([time_second, *values.T], schema=schema))
