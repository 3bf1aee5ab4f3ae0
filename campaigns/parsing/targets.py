"""The parsers of ours, and how many inputs each gets.

Those that open a file, decode a picture or import PyTorch get fewer than a million inputs.
"""

from __future__ import annotations

from campaigns.parsing import files, results, streams
from campaigns.parsing.parser import Target

TARGETS = {
    "hyperprior": Target("bitstream of HiFiC and MS-ILLM", streams.hyperprior),
    "varint": Target("number in a bitstream", streams.varint),
    "lic-hpcm": Target("bitstream of LIC-HPCM", streams.lic_hpcm),
    "dcvc-rt": Target("bitstream of DCVC-RT", streams.dcvc_rt),
    "diffeic": Target("bitstream of DiffEIC", streams.diffeic),
    "oscar": Target("bitstream of OSCAR", streams.oscar),
    "control-gic": Target("bitstream of Control-GIC", streams.control_gic),
    "progic": Target("bitstream of ProGIC", streams.progic),
    "progic-range": Target("bitstream of ProGIC, range coded", streams.progic_range_coded),
    "vtm": Target("bitstream of VTM's adapter", streams.vtm),
    "codec-manifest": Target("`codec.toml`", files.codec_manifest, short=4_000),
    "dataset-manifest": Target("manifest of a data set", files.dataset_manifest, short=5_000),
    "protocol": Target("protocol of a paper", files.protocol, short=5_000),
    "limits": Target("limits of a comparison", files.limits, short=5_000),
    "answer": Target("answer of a worker", results.answer, short=10_000),
    "document": Target("JSON file of a run", results.document, short=10_000),
    "store": Target("`store.json`", results.store_version),
    "shard": Target("shard of records", results.shard, 100_000, 2_000, longest=1 << 14),
    "hashes": Target("hashes of downloads", files.hashes),
    "resolution": Target("`--resolution`", files.resolution),
    "arrays": Target("pickle of arrays", files.arrays),
    "picture": Target("picture", files.picture, 100_000, 3_000, 240, 4096),
    "archive": Target("archive of a data set", files.archive, 200_000, 3_000),
    "index": Target("index of files", files.index, 20_000, 500, longest=1 << 14),
    "checkpoint": Target("checkpoint of PyTorch", files.checkpoint, 50_000, 1_000, 30, 4096),
    "safetensors": Target(
        "checkpoint of ProGIC", files.safetensors, 50_000, 1_000, 30, 4096, 1 << 17
    ),
}
