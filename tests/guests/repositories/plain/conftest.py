import pytest


@pytest.fixture
def plugin():
    return "theirs"


@pytest.fixture(params=[1, 2])
def share(request):
    return request.param


@pytest.fixture
def subject():
    yield "theirs"


@pytest.fixture(autouse=True)
def misuse(record_property):
    record_property("of", "everything")
