import pytest

from sasrec.errors import (
    DataError,
    DeviceError,
    Interrupted,
    ModelError,
    SasrecError,
    SettingsError,
    did_you_mean,
)


@pytest.mark.parametrize("kind", [SettingsError, DataError, ModelError, DeviceError, Interrupted])
def test_every_error_is_a_sasrec_error(kind):
    with pytest.raises(SasrecError, match="the text"):
        raise kind("the text")


def test_a_similar_name_is_suggested():
    assert did_you_mean("learnign_rate", ["epochs", "learning_rate"]) == (
        "; did you mean 'learning_rate'?"
    )


@pytest.mark.parametrize("word", ["Learning-Rate", "LEARNING_RATE", "learning-rat"])
def test_case_and_dashes_are_ignored_in_suggestions(word):
    assert did_you_mean(word, ["learning_rate"]) == "; did you mean 'learning_rate'?"


def test_a_suggestion_has_the_spelling_of_the_known_name():
    assert did_you_mean("max_item_list_lenght", ["MAX_ITEM_LIST_LENGTH"]) == (
        "; did you mean 'MAX_ITEM_LIST_LENGTH'?"
    )


@pytest.mark.parametrize("known", [[], ["epochs", "seed"]])
def test_nothing_is_suggested_if_no_name_is_similar(known):
    assert did_you_mean("learning_rate", known) == ""
