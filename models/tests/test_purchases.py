import gzip

import numpy as np
import pytest

from shopd_models import purchases

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"


def test_online_retail_has_products_that_were_paid_and_not_sent_back(tmp_path):
    path = tmp_path / "t.csv.gz"
    with gzip.open(path, "wt") as f:
        f.write(HEADER
                + "1,85123a,white heart,6,2010-12-01 08:26:00,2.55,17850,UK\n"
                + "1,POST,postage,1,2010-12-01 08:26:00,18,17850,UK\n"
                + "C2,85123A,white heart,-6,2010-12-01 08:26:00,2.55,17850,UK\n"
                + "3,85123A,white heart,1,2010-12-03 08:26:00,0,17850,UK\n"
                + "4,22423,cakestand,1,2010-12-03 08:26:00,12,,UK\n")
    p = purchases.load_online_retail(path)
    assert p.skus == ["85123A", "22423"] and p.titles == ["WHITE HEART", "CAKESTAND"]
    assert p.customer.tolist() == [0, purchases.NOBODY] and p.day.tolist() == [0, 2] and p.date_of(2) == "2010-12-03"


def test_export_says_which_line_is_wrong(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text('{"customer":null,"order":"o","sku":"s","title":"t","price":1,"at":"2025-01-01T00:00:00Z"}\n{"customer":1}\n')
    with pytest.raises(ValueError, match="line 2"):
        purchases.load_export(path)


def test_nothing_bought_is_an_error(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text("")
    with pytest.raises(ValueError, match="no purchase"):
        purchases.load_export(path)


def test_with_items_numbers_them_anew(shop):
    few = shop.with_items(np.array([5, 2]))
    assert few.skus == [shop.skus[5], shop.skus[2]] and set(few.item.tolist()) == {0, 1}
    assert (few.item == 0).sum() == (shop.item == 5).sum()
