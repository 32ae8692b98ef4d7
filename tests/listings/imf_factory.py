"""Small IMF packages for tests: real MXF track files, documents written here, faults on demand."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from tests.listings.masters_media import ffmpeg

FRAMES, RATE = 10, 25
SAMPLES, HERTZ = FRAMES * 48000 // RATE, 48000
APP_2E = "http://www.smpte-ra.org/ns/2067-21/2021"
SHA1 = "http://www.w3.org/2000/09/xmldsig#sha1"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
NAMED = {name: UUID(int=number) for number, name in enumerate(
    ("map", "pkl", "cpl", "picture", "sound", "picture-track", "sound-track", "segment",
     "picture-resource", "sound-resource", "picture-descriptor", "sound-descriptor",
     "picture-sequence", "sound-sequence", "stranger"), start=0x1000)}  # fmt: skip


def track_files(folder: Path) -> dict[str, Path]:
    """Make the track files once: JPEG 2000 as App #2E has it, and PCM."""
    picture, sound = folder / "picture.mxf", folder / "sound.mxf"
    test = f"testsrc2=size=128x72:rate={RATE}:duration={FRAMES / RATE}"
    ffmpeg("-f", "lavfi", "-i", test, "-pix_fmt", "yuv422p10le", "-c:v", "jpeg2000", str(picture))
    tone = f"sine=duration={FRAMES / RATE}:sample_rate={HERTZ}"
    ffmpeg("-f", "lavfi", "-i", tone, "-c:a", "pcm_s24le", "-f", "mxf_opatom", str(sound))
    return {"picture.mxf": picture, "sound.mxf": sound}


@dataclass
class Package:
    """A package about to be written; tests change its parts to make a fault."""

    tracks: dict[str, bytes]
    edit_rate: str = f"{RATE} 1"
    applications: str = APP_2E
    picture_rate: str | None = None
    picture_duration: int = FRAMES
    picture_entry: int = 0
    picture_plays: int = FRAMES
    sound_duration: int = SAMPLES
    sound_plays: int = SAMPLES
    repeat: int = 1
    second_segment: str = ""
    sequences: tuple[str, ...] = ("picture", "sound")
    picture_id: str = "picture"
    described: tuple[str, ...] = ("picture-descriptor", "sound-descriptor")
    cpl_id: str = "cpl"
    pkl_id: str = "pkl"
    algorithm: str | None = SHA1
    digests: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    unmapped: tuple[str, ...] = ()
    unpacked: tuple[str, ...] = ()
    paths: dict[str, str] = field(default_factory=dict)
    more_map: str = ""
    after: Callable[[Path], None] | None = None  # done to the folder once it is written

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        contents = {**self.tracks, "CPL.xml": self._cpl().encode()}
        contents["PKL.xml"] = self._pkl(contents).encode()
        contents["ASSETMAP.xml"] = self._map().encode()
        for name, content in contents.items():
            (folder / name).write_bytes(content)
        if self.after is not None:
            self.after(folder)
        return folder

    def _map(self) -> str:
        names = {"pkl": "PKL.xml", "cpl": "CPL.xml", "picture": "picture.mxf", "sound": "sound.mxf"}
        assets = "".join(
            f"<Asset><Id>{urn(key)}</Id>{'<PackingList>true</PackingList>' * (key == 'pkl')}"
            f"<ChunkList><Chunk><Path>{self.paths.get(key, path)}</Path></Chunk></ChunkList>"
            "</Asset>"
            for key, path in names.items()
            if key not in self.unmapped
        )
        return (
            '<?xml version="1.0"?><AssetMap xmlns="http://www.smpte-ra.org/schemas/429-9/2007/AM">'
            f"<Id>{urn('map')}</Id><VolumeCount>1</VolumeCount>"
            f"<AssetList>{assets}{self.more_map}</AssetList></AssetMap>"
        )

    def _pkl(self, contents: dict[str, bytes]) -> str:
        names = {"cpl": "CPL.xml", "picture": "picture.mxf", "sound": "sound.mxf"}
        assets = "".join(
            self._packed(key, contents[path]) for key, path in names.items()
            if key not in self.unpacked
        )  # fmt: skip
        return (
            '<?xml version="1.0"?>'
            '<PackingList xmlns="http://www.smpte-ra.org/schemas/2067-2/2016/PKL">'
            f"<Id>{urn(self.pkl_id)}</Id><AssetList>{assets}</AssetList></PackingList>"
        )

    def _packed(self, key: str, content: bytes) -> str:
        hashed = hashlib.sha256 if self.algorithm == SHA256 else hashlib.sha1
        digest = self.digests.get(key, base64.b64encode(hashed(content).digest()).decode())
        said = f'<HashAlgorithm Algorithm="{self.algorithm}"/>' if self.algorithm else ""
        kind = "text/xml" if key == "cpl" else "application/mxf"
        size = self.sizes.get(key, len(content))
        return (
            f"<Asset><Id>{urn(key)}</Id><Hash>{digest}</Hash><Size>{size}</Size>"
            f"<Type>{kind}</Type>{said}</Asset>"
        )

    def _cpl(self) -> str:
        described = "".join(
            f"<EssenceDescriptor><Id>{urn(key)}</Id></EssenceDescriptor>" for key in self.described
        )
        return (
            '<?xml version="1.0"?><!-- a composition -->'
            '<CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/2067-3/2016" '
            'xmlns:cc="http://www.smpte-ra.org/schemas/2067-2/2016">'
            f"<Id>{urn(self.cpl_id)}</Id><ContentTitle>山海 Hills</ContentTitle>"
            f"<EssenceDescriptorList>{described}</EssenceDescriptorList>"
            f"<EditRate>{self.edit_rate}</EditRate><ExtensionProperties>"
            f"<cc:ApplicationIdentification>{self.applications}</cc:ApplicationIdentification>"
            f"</ExtensionProperties><SegmentList>{self._segment()}{self.second_segment}"
            "</SegmentList></CompositionPlaylist>"
        )

    def _segment(self) -> str:
        parts = {
            "picture": (
                "MainImageSequence", self.picture_id, self.picture_rate or self.edit_rate,
                self.picture_duration, self.picture_entry, self.picture_plays,
            ),
            "sound": (
                "MainAudioSequence", "sound", f"{HERTZ} 1", self.sound_duration, 0,
                self.sound_plays,
            ),
        }  # fmt: skip
        return self.segment(*(self._sequence(key, *parts[key]) for key in self.sequences))

    def segment(self, *sequences: str) -> str:
        return (
            f"<Segment><Id>{urn('segment')}</Id><SequenceList>{''.join(sequences)}</SequenceList>"
            "</Segment>"
        )

    def _sequence(
        self, key: str, name: str, file: str, rate: str, intrinsic: int, entry: int, plays: int
    ) -> str:
        return (
            f"<cc:{name}><Id>{urn(f'{key}-sequence')}</Id><TrackId>{urn(f'{key}-track')}</TrackId>"
            f"<ResourceList><Resource><Id>{urn(f'{key}-resource')}</Id><EditRate>{rate}</EditRate>"
            f"<IntrinsicDuration>{intrinsic}</IntrinsicDuration><EntryPoint>{entry}</EntryPoint>"
            f"<SourceDuration>{plays}</SourceDuration><RepeatCount>{self.repeat}</RepeatCount>"
            f"<SourceEncoding>{urn(f'{key}-descriptor')}</SourceEncoding>"
            f"<TrackFileId>{urn(file)}</TrackFileId></Resource></ResourceList></cc:{name}>"
        )


def urn(name: str) -> str:
    return f"urn:uuid:{NAMED[name]}"
