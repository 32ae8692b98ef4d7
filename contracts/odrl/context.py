"""The JSON-LD context of ODRL 2.2, kept here so that nothing is fetched to read a policy (pure).

Source: W3C ODRL Vocabulary & Expression 2.2 §4.2 (JSON-LD). Written from the vocabulary's terms.
Differs from the source: `neq`, `industry` and `dataType` name the terms of the vocabulary; the
published context has slips in all three, so our own exports use none of them.
"""

from collections.abc import Mapping
from typing import Any

from contracts.odrl.vocabulary import CC, ODRL, UHDX

URL = "http://www.w3.org/ns/odrl.jsonld"
URLS = frozenset({URL, "https://www.w3.org/ns/odrl.jsonld"})
PREFIXES: Mapping[str, str] = {
    "odrl": ODRL,
    "cc": CC,
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "owl": "http://www.w3.org/2002/07/owl#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "dct": "http://purl.org/dc/terms/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "schema": "http://schema.org/",
}
_LINKS = (  # terms whose values are IRIs or nodes
    "profile inheritFrom relation hasPolicy target output partOf source assignee assigner "
    "assigneeOf assignerOf attributedParty attributingParty compensatedParty compensatingParty "
    "consentingParty consentedParty informedParty informingParty trackingParty trackedParty "
    "contractingParty contractedParty includedIn implies permission prohibition obligation duty "
    "consequence remedy constraint refinement and or xone andSequence"
)
_NAMES = "conflict function action operator leftOperand"  # terms whose values are terms
_WORDS = (  # classes, individuals, and terms whose values are written out in full
    "Policy Rule ConflictTerm Agreement Assertion Offer Privacy Request Set Ticket Asset "
    "AssetCollection Party PartyCollection Action Permission Prohibition Duty Constraint "
    "LogicalConstraint Operator RightOperand LeftOperand perm prohibit invalid rightOperand unit "
    "dataType status use transfer give sell extract absolutePosition absoluteSpatialPosition "
    "absoluteTemporalPosition absoluteSize count dateTime delayPeriod deliveryChannel elapsedTime "
    "event fileFormat industry language media meteredTime payAmount percentage product purpose "
    "recipient relativePosition relativeSpatialPosition relativeTemporalPosition relativeSize "
    "resolution spatial spatialCoordinates systemDevice timeInterval unitOfCount version "
    "virtualLocation eq gt gteq lt lteq neq isA hasPart isPartOf isAllOf isAnyOf isNoneOf "
    "policyUsage acceptTracking aggregate annotate anonymize archive attribute compensate "
    "concurrentUse delete derive digitize display distribute ensureExclusivity execute grantUse "
    "include index inform install modify move nextPolicy obtainConsent play present print read "
    "reproduce reviewPolicy stream synchronize textToSpeech transform translate uninstall watermark"
)
PUBLISHED: Mapping[str, Any] = {
    **PREFIXES,
    "uid": "@id",
    "type": "@type",
    **{term: ODRL + term for term in _WORDS.split()},
    **{term: {"@id": ODRL + term, "@type": "@id"} for term in _LINKS.split()},
    **{term: {"@id": ODRL + term, "@type": "@vocab"} for term in _NAMES.split()},
    "rightOperandReference": {"@id": ODRL + "rightOperandReference", "@type": "@id"},
}
# What our exports say beside the published context's URL.
OWN: Mapping[str, str] = {"uhdx": UHDX, "xsd": PREFIXES["xsd"], "dct": PREFIXES["dct"]}
