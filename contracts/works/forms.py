"""The forms that identifiers of the trade have: pattern, canonical writing, an example (pure data).

Source: EIDR ID Format 1.51 §2 (content 10.5240, party 10.5237, user 10.5238, service 10.5239; URN,
EIDR-S and EIDR-X); ISO 15706-1/-2 (= GB/T 23730) with RFC 4246 for URN:ISAN; GB 32100-2015
(统一社会信用代码); GB/T 13396-2009 (ISRC); for permits the notices of the administration of radio
and television of 2022 (剧审字, 动审字, 网…审字) and 电影产业促进法 art. 17-20 (公映许可证); 国家
版权局 2016 (作品登记号); the patent numbers of 2003 (专利号). A DCI (GB/T 45913-2025) is kept as
text: nothing about its structure is checked.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_OPEN, _CLOSE = r"[（(〔\[]", r"[)）〕\]]"
_ISSUER = r"[（(](?P<issuer>[\u4e00-\u9fa5]{1,4})[)）]"
_YEAR = rf"{_OPEN}(?P<year>(?:19|20)[0-9]{{2}}){_CLOSE}"
_SORTS = r"故[（(]复[)）]|故|美|数|纪数|纪|动数|动|科|进|特[（(]进[)）]|特"
_EIDR = r"(?P<digits>[0-9A-F]{4}(?:-[0-9A-F]{4}){4})-(?P<check>[0-9A-Z])"
_ISAN = (
    r"(?P<digits>[0-9A-F]{4}(?:-[0-9A-F]{4}){3})-(?P<check>[0-9A-Z])"
    r"(?:-(?P<version>[0-9A-F]{4}-[0-9A-F]{4})-(?P<version_check>[0-9A-Z]))?"
)


@dataclass(frozen=True, slots=True)
class Form:
    """How one kind of identifier is written.

    Attributes:
        name_zh: what it is called in the trade.
        name_en: the same in English.
        pattern: the whole identifier, its parts as named groups.
        cue: what shows that a text was meant to be one.
        example: a good one.
        template: the canonical writing from the groups; empty where the text stands as it is.
    """

    name_zh: str
    name_en: str
    pattern: re.Pattern[str]
    cue: re.Pattern[str]
    example: str
    template: str = ""


def _ascii(pattern: str) -> re.Pattern[str]:
    # ASCII: "ſ" or a full-width letter must not pass for the letter it resembles.
    return re.compile(pattern, re.ASCII | re.IGNORECASE)


def _chinese(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)


EIDR_KINDS: Mapping[str, Form] = {
    "eidr": Form(
        "EIDR 视听内容标识", "EIDR of a work",
        _ascii(rf"(?:10\.5240/|urn:eidr:10\.5240:|md:cid:eidr-s:){_EIDR}"),
        _ascii(r"10\.5240|eidr|^(?:[0-9A-Z]{4}-){5}[0-9A-Z]$"),
        "10.5240/7791-8534-2C23-9030-8610-5", "10.5240/{digits}-{check}",
    ),
    "eidr-x": Form(
        "EIDR-X 扩展标识", "EIDR of a work with an extension of one's own",
        _ascii(rf"md:cid:eidr-x:{_EIDR}:(?P<extension>[0-9A-Z_.~-]{{1,64}})"),
        _ascii(r"eidr-x:"),
        "md:cid:eidr-x:7791-8534-2C23-9030-8610-5:hlg",
        "md:cid:eidr-x:{digits}-{check}:{extension}",
    ),
    "eidr-party": Form(
        "EIDR 机构标识", "EIDR of a party",
        _ascii(r"(?:10\.5237/|urn:eidr:10\.5237:)(?P<name>[0-9A-F]{4}-[0-9A-F]{4}|superparty)"),
        _ascii(r"10\.5237"),
        "10.5237/A1B2-C3D4", "10.5237/{name}",
    ),
    "eidr-service": Form(
        "EIDR 视频服务标识", "EIDR of a video service",
        _ascii(r"(?:10\.5239/|urn:eidr:10\.5239:)(?P<name>[0-9A-F]{4}-[0-9A-F]{4})"),
        _ascii(r"10\.5239"),
        "10.5239/A1B2-C3D4", "10.5239/{name}",
    ),
    "eidr-user": Form(
        "EIDR 用户标识", "EIDR of a user",
        _ascii(r"(?:10\.5238/|urn:eidr:10\.5238:)(?P<name>[0-9A-Z_#.\-()]{3,32})"),
        _ascii(r"10\.5238"),
        "10.5238/archive", "10.5238/{name}",
    ),
}  # fmt: skip
PERMIT_KINDS: Mapping[str, Form] = {
    "online-permit": Form(
        "网络剧片发行许可证", "permit of an online series or film",
        _chinese(
            rf"{_ISSUER}网(?P<sort>剧|影|微剧|动)审字{_OPEN}(?P<year>20[0-9]{{2}}){_CLOSE}"
            r"第(?P<number>[0-9]{3,6})号"
        ),
        _chinese("网.{0,2}审"),
        "(总局)网剧审字(2022)第001号", "({issuer})网{sort}审字({year})第{number}号",
    ),
    "tv-drama-permit": Form(
        "国产电视剧发行许可证", "permit of a television drama",
        _chinese(rf"{_ISSUER}剧审字{_YEAR}第(?P<number>[0-9]{{3,5}})号"),
        _chinese("剧审"),
        "(粤)剧审字(2021)第001号", "({issuer})剧审字({year})第{number}号",
    ),
    "tv-animation-permit": Form(
        "国产电视动画片发行许可证", "permit of a television animation",
        _chinese(rf"{_ISSUER}动审字{_YEAR}第(?P<number>[0-9]{{3,5}})号"),
        _chinese("动审"),
        "(粤)动审字(2021)第001号", "({issuer})动审字({year})第{number}号",
    ),
    "film-permit": Form(
        "电影公映许可证", "permit of a film (龙标)",
        _chinese(rf"电审(?P<sort>{_SORTS})字{_YEAR}第(?P<number>[0-9]{{3,4}})号"),
        _chinese("电审"),
        "电审故字[2019]第800号", "电审{sort}字[{year}]第{number}号",
    ),
    "work-registration": Form(
        "作品登记号", "registration of a work",
        _chinese(
            r"(?P<region>[\u4e00-\u9fa5]{1,2})作登字-(?P<year>20[0-9]{2})-(?P<sort>[A-Z])-"
            r"(?P<number>[0-9]{8,12})"
        ),
        _chinese("作登"),
        "国作登字-2021-I-00000001", "{region}作登字-{year}-{sort}-{number}",
    ),
    "production-licence": Form(
        "广播电视节目制作经营许可证", "licence to produce and trade programmes",
        _chinese(
            r"[（(](?P<issuer>[\u4e00-\u9fa5]{1,2})[)）]字第(?P<number>[0-9]{3,6})号"
        ),
        _chinese("[)）]字第"),
        "(粤)字第00001号", "({issuer})字第{number}号",
    ),
    "drama-production-licence": Form(
        "电视剧制作许可证", "licence to produce television drama",
        _chinese(
            r"(?:(?P<sort>甲)第(?P<number>[0-9]{3})号)|(?:(?P<sort_2>乙)第(?P<number_2>[0-9]{5})号)"
        ),
        _chinese("[甲乙]第"),
        "甲第001号",
    ),
}  # fmt: skip
OTHER_KINDS: Mapping[str, Form] = {
    "isan": Form(
        "国际标准视听作品号 (GB/T 23730)", "ISAN",
        _ascii(rf"(?:urn:isan:|isan[ :])?{_ISAN}"),
        _ascii(r"isan|^(?:[0-9A-Z]{4}-){3}[0-9A-Z]{4}"),
        "0000-0000-3A8D-0000-Z-0000-0000-6",
    ),
    "uscc": Form(
        "统一社会信用代码", "unified social credit code",
        _ascii(r"(?P<digits>[0-9A-Z]{17})(?P<check>[0-9A-Z])"),
        _ascii(r"^[159AN][1239]?[0-9]{6}[0-9A-Z]{8,12}$"),
        "9144030071526726XG", "{digits}{check}",
    ),
    "patent": Form(
        "专利号", "patent number",
        _ascii(r"ZL(?P<digits>[0-9]{12})\.(?P<check>[0-9X])"),
        _ascii(r"^ZL"),
        "ZL200810109222.1", "ZL{digits}.{check}",
    ),
    "software-registration": Form(
        "计算机软件著作权登记号", "registration of software",
        _ascii(r"软著登字第(?P<number>[0-9]{7,8})号|(?P<year>20[0-9]{2})SR(?P<number_2>[0-9]{6,7})"),
        _ascii(r"软著|^20[0-9]{2}SR"),
        "2021SR0123456",
    ),
    "isrc": Form(
        "国际标准录音制品编码 (GB/T 13396)", "ISRC of a Chinese recording or music video",
        _ascii(r"CN-?(?P<issuer>[A-Z0-9]{3})-?(?P<year>[0-9]{2})-?(?P<number>[0-9]{5})"),
        _ascii(r"^CN-?[A-Z0-9]{3}-?[0-9]{2}"),
        "CN-A08-21-00001", "CN-{issuer}-{year}-{number}",
    ),
    "icp": Form(
        "ICP 备案号或许可证号", "number of an internet service",
        _ascii(
            r"(?P<region>[\u4e00-\u9fa5])(?:ICP(?P<sort>备|证)(?P<number>[0-9]{6,10})号"
            r"(?P<site>-[0-9]+)?|(?P<class>[AB][12])-(?P<number_2>[0-9]{8}))"
        ),
        _ascii(r"ICP|^[\u4e00-\u9fa5][AB][12]-"),
        "浙B2-20200368",
    ),
    "online-service-licence": Form(
        "信息网络传播视听节目许可证", "licence to offer programmes online",
        _ascii(r"(?P<number>[0-9]{7,8})"),
        _ascii(r"^[0-9]{5,9}$"),
        "0105096", "{number}",
    ),
    "dci": Form(
        "DCI 数字版权唯一标识符", "DCI of a work",
        re.compile(r"(?P<text>.{1,200})"),
        _ascii(r"\bDCI\b"),
        "DCI 2026 0001",
    ),
}  # fmt: skip
# The order in which a text is tried: what says most about itself first.
FORMS: Mapping[str, Form] = {**EIDR_KINDS, **PERMIT_KINDS, **OTHER_KINDS}
