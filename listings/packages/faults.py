"""What can be wrong with an IMF package: one code, two sentences and a severity each (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ERROR, WARNING = "error", "warning"

SAID: Mapping[str, tuple[str, str, str]] = {
    "assetmap-missing": (ERROR, "The package has no ASSETMAP.xml.", "包内没有 ASSETMAP.xml。"),
    "assetmap-unreadable": (ERROR, "The asset map cannot be read.", "资产映射表无法读取。"),
    "path-unsafe": (ERROR, "A path leads out of the package.", "路径指向包外。"),
    "id-twice": (ERROR, "Two assets have one id.", "两个资产使用同一标识。"),
    "chunks-many": (ERROR, "A file is split over several chunks.", "文件被拆分为多个分块。"),
    "packing-list-missing": (ERROR, "There is no packing list.", "没有打包清单（PKL）。"),
    "packing-list-unreadable": (ERROR, "The packing list cannot be read.", "打包清单无法读取。"),
    "composition-missing": (ERROR, "There is no composition.", "没有合成播放列表（CPL）。"),
    "composition-unreadable": (ERROR, "The composition cannot be read.", "合成播放列表无法读取。"),
    "id-differs": (
        ERROR, "The document has another id than the package says.", "文件内的标识与包中所记不符。",
    ),
    "not-mapped": (
        ERROR, "A packed asset is not in the asset map.", "打包清单中的资产不在资产映射表内。",
    ),
    "not-packed": (
        WARNING, "A mapped asset is in no packing list: nothing vouches for it.",
        "映射表中的资产不在任何打包清单内，无从校验。",
    ),
    "not-in-package": (
        WARNING, "A file lies in the folder and belongs to nothing.", "目录中有不属于该包的文件。",
    ),
    "file-missing": (ERROR, "The file is not there.", "文件不存在。"),
    "size-differs": (ERROR, "The file has another size.", "文件大小不符。"),
    "hash-differs": (ERROR, "The file has another hash.", "文件哈希不符。"),
    "hash-unknown": (ERROR, "The hash is of a kind that is not known.", "哈希算法未知。"),
    "application-missing": (
        WARNING, "The composition does not say that it is of Application #2E.",
        "合成未标明符合 Application #2E（ST 2067-21）。",
    ),
    "segments-missing": (ERROR, "The composition plays nothing.", "合成中没有任何片段。"),
    "picture-missing": (ERROR, "A segment has no picture.", "片段没有画面。"),
    "tracks-differ": (
        ERROR, "Segments do not play the same virtual tracks.", "各片段的虚拟轨道不一致。",
    ),
    "durations-differ": (
        ERROR, "The tracks of a segment are of different length.", "同一片段各轨道时长不一致。",
    ),
    "duration-not-whole": (
        ERROR, "A segment is no whole number of edit units long.", "片段时长不是编辑单元的整数倍。",
    ),
    "edit-rate-differs": (
        ERROR, "A picture has another edit rate than the composition.",
        "画面的编辑速率与合成不一致。",
    ),
    "duration-beyond": (
        ERROR, "A resource plays beyond the end of its track file.", "素材播放范围超出轨道文件。",
    ),
    "duration-empty": (ERROR, "A resource plays nothing.", "素材时长为零。"),
    "track-file-missing": (
        ERROR, "A composition plays a track file that is not in the package.",
        "合成引用的轨道文件不在包内。",
    ),
    "track-file-not-mxf": (ERROR, "A track file is no MXF.", "轨道文件不是 MXF。"),
    "track-file-unreadable": (
        ERROR, "A track file cannot be opened.", "轨道文件无法打开。",
    ),
    "track-file-other": (
        ERROR, "A track file holds something else than its track plays.",
        "轨道文件内容与所在轨道类型不符。",
    ),
    "track-file-duration": (
        ERROR, "A track file is not as long as the composition says.",
        "轨道文件时长与合成所记不符。",
    ),
    "encoding-missing": (
        ERROR, "A resource names no essence descriptor of the composition.",
        "素材未指向合成内的本质描述。",
    ),
    "pictures-many": (
        ERROR, "More than one picture track file: none of them is the master of the work.",
        "有多个画面轨道文件，无法确定作品母版。",
    ),
    "uploads-missing": (
        ERROR, "A file of the package is not uploaded.", "包内文件尚未上传。",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong: what, where, and the values that show it."""

    code: str
    where: str
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def severity(self) -> str:
        """`error` or `warning`."""
        return SAID[self.code][0]

    def as_dict(self) -> dict[str, Any]:
        """Return the fault as plain JSON, in both languages."""
        severity, english, chinese = SAID[self.code]
        return {
            "code": self.code,
            "severity": severity,
            "where": self.where,
            "en": english,
            "zh": chinese,
            "data": dict(self.data),
        }
