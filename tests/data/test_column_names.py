"""Names of published columns are recognised and proposed, never used without a word."""

import polars as pl
import pytest

from sasrec.data.sources import load_corpus
from sasrec.data.values.column_names import likely_items, likely_times, likely_users
from sasrec.errors import DataError, SettingNeeded
from sasrec.settings.data import DataSettings

PUBLISHED = {
    "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country": (
        *("CustomerID", "StockCode", "InvoiceDate"),
    ),
    "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country": (
        *("Customer ID", "StockCode", "InvoiceDate"),
    ),
    "Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country": (
        *("CustomerID", "Description", "InvoiceDate"),
    ),
    "userId,movieId,rating,time": ("userId", "movieId", "time"),
    "Member_number,Date,itemDescription": ("Member_number", "itemDescription", "Date"),
    "reviewerID,asin,reviewerName,helpful,reviewText,overall,summary,reviewTime,unixReviewTime": (
        *("reviewerID", "asin", "unixReviewTime"),
    ),
    "visitorid,event,itemid,transactionid,event_time": ("visitorid", "itemid", "event_time"),
    "sessionId,userId,itemId,timeframe": ("userId", "itemId", "timeframe"),
    "t_dat,customer_id,article_id,price,sales_channel_id": ("customer_id", "article_id", "t_dat"),
    "session,aid,ts,type": ("session", "aid", "ts"),
    "session_id,product_id,category_id,date": ("session_id", "product_id", "date"),
    "TRANSACTION_DT,CUSTOMER_ID,AGE_GROUP,PRODUCT_SUBCLASS,PRODUCT_ID": (
        *("CUSTOMER_ID", "PRODUCT_ID", "TRANSACTION_DT"),
    ),
    "userId,venueId,venueCategoryId,venueCategory,timezoneOffset,utcTimestamp": (
        *("userId", "venueId", "utcTimestamp"),
    ),
    "event_time,event_type,product_code,category_code,brand,price,customer,user_session": (
        *("customer", "product_code", "event_time"),
    ),
    "Kunde,Artikel,Datum,Preis": ("Kunde", "Artikel", "Datum"),
    "Bestellnummer,Kunden-Nr,Artikelnummer,Bestelldatum,Menge": (
        *("Kunden-Nr", "Artikelnummer", "Bestelldatum"),
    ),
    "user-name,book_title,date_added": ("user-name", "book_title", "date_added"),
}
OTHERS = [
    *(
        "product_category_id",
        "order_id",
        "InvoiceNo",
        "price",
        "country",
        "user_agent",
        "item_count",
    ),
    *("customer_age", "store_id", "rating", "brand", "users_online", "id", "code", "name", ""),
]


@pytest.mark.parametrize(("header", "expected"), PUBLISHED.items())
def test_published_columns_are_proposed(header: str, expected: tuple[str, str, str]) -> None:
    frame = pl.DataFrame({name: ["1"] for name in header.split(",")})
    with pytest.raises(SettingNeeded) as caught:
        load_corpus(frame, DataSettings())
    settings = dict(zip(("user_column", "item_column", "time_column"), expected, strict=True))
    assert caught.value.choices == (settings,)
    arguments = ", ".join(f"{name}={value!r}" for name, value in settings.items())
    assert f"(in Python: {arguments})" in str(caught.value)
    assert load_corpus(frame, DataSettings(**settings)).sequences.n_events == 1


def test_other_columns_are_not_taken_for_users_or_items() -> None:
    assert likely_users(OTHERS) == []
    assert likely_items(OTHERS) == []
    assert likely_times(OTHERS) == []


def test_ids_come_before_names_and_sessions() -> None:
    assert likely_users(["user_session", "session_id", "user_name", "client"]) == [
        *("client", "user_name", "session_id", "user_session"),
    ]
    assert likely_items(["item_name", "title", "parent_asin", "asin"]) == [
        *("asin", "item_name", "parent_asin", "title"),
    ]


def test_a_misspelled_name_of_the_user_is_not_replaced_by_another_column() -> None:
    frame = pl.DataFrame({"CustomerID": ["1"], "item_id": ["1"], "timestamp": [1]})
    with pytest.raises(
        DataError, match="no column 'who'; name the right column with --user-column=N"
    ):
        load_corpus(frame, DataSettings(user_column="who"))
    with pytest.raises(DataError, match="did you mean 'CustomerID'"):
        load_corpus(frame, DataSettings(user_column="customerid"))
