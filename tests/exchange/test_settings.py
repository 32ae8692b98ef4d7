import pytest
from pydantic import ValidationError

from exchange.settings import Settings

REAL = {
    "environment": "production",
    "database_url": "postgresql://exchange@db/exchange",
    "stripe_api_key": "sk_live_x8",
    "stripe_webhook_secret": "whsec_x8",
    "stripe_api_base": "https://api.stripe.com",
    "operator_licence": "auction_house",
}


def test_production_takes_real_secrets() -> None:
    assert not Settings(**REAL).stripe_is_standin


@pytest.mark.parametrize("name", ["stripe_api_key", "stripe_webhook_secret"])
@pytest.mark.parametrize("placeholder", ["", "changeme", "sk_test_standin", "whsec_standin"])
def test_production_refuses_placeholders(name: str, placeholder: str) -> None:
    with pytest.raises(ValidationError, match="placeholder"):
        Settings(**{**REAL, name: placeholder})


def test_production_needs_a_database_of_its_own() -> None:
    with pytest.raises(ValidationError, match="DATABASE_URL"):
        Settings(**{**REAL, "database_url": None})


def test_production_says_which_licence_the_operator_holds() -> None:
    assert Settings(**REAL).licence == "auction_house"
    assert Settings().licence == "property_exchange"
    with pytest.raises(ValidationError, match="OPERATOR_LICENCE"):
        Settings(**{**REAL, "operator_licence": None})


def test_the_objects_folder_may_be_a_file_url() -> None:
    assert str(Settings(objects_dir="file:///srv/masters%20here").objects) == "/srv/masters here"


def test_a_loopback_payment_provider_is_a_stand_in() -> None:
    assert Settings().stripe_is_standin
