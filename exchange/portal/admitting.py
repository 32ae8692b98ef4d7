"""The words of admission to auctions: papers, licences, what forfeits a deposit, who is related."""

from collections.abc import Mapping

from exchange.portal.language import mark

WORDS: Mapping[str, str] = {
    "paper_business-licence": mark("Business licence"),
    "paper_authorisation": mark("Letter of authority"),
    "paper_creditworthiness": mark("Proof of creditworthiness"),
    "paper_consortium": mark("Consortium agreement"),
    "paper_owners": mark("Statement of beneficial owners"),
    "paper_other": mark("Other"),
    "licence_network-audiovisual": mark("Network audiovisual licence"),
    "licence_channel": mark("Broadcasting channel licence"),
    "licence_production": mark("Programme production licence"),
    "licence_cinema": mark("Cinema licence"),
    "forfeit_winner-refuses": mark("the winner refuses to sign"),
    "forfeit_non-payment": mark("the price is not paid in time"),
    "forfeit_false-statements": mark("false statements"),
    "forfeit_collusion": mark("collusion"),
    "forfeit_withdrawal": mark("withdrawal after admission"),
    "forfeit_seal-not-opened": mark("a sealed bid that cannot be opened"),
    "forfeit_no-bid": mark("no bid from the only bidder"),
    "forfeit_claim-beyond-deposit": mark("what the deposit does not cover is owed besides"),
    "relation_owner": mark("Owner"),
    "relation_director": mark("Director or officer"),
    "relation_bank-account": mark("Bank account"),
    "relation_key": mark("Key"),
    "relation_address": mark("Address"),
}
