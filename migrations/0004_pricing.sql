-- What variants cost, ever; and what tax is.

-- +goose Up

-- Append-only: a new price closes the one before it. The open row of a variant and currency is the price.
create table pricing.prices (
    variant_id text collate "C" not null,
    sku text collate "C" not null,
    currency text collate "C" not null,
    amount bigint not null check (amount between 0 and 1000000000000),
    compare_at bigint check (compare_at > amount),
    source text not null check (source in ('list', 'import', 'admin', 'rule', 'model')),
    reason text not null default '',
    model_version text,
    version bigint not null,
    valid_from timestamptz not null,
    valid_to timestamptz,
    primary key (variant_id, currency, version)
);

create unique index current_price on pricing.prices (variant_id, currency) where valid_to is null;

create table pricing.currencies (
    code text collate "C" primary key,
    prices_include_tax boolean not null
);

insert into pricing.currencies (code, prices_include_tax) values
    ('USD', false), ('CAD', false),
    ('EUR', true), ('GBP', true), ('CHF', true), ('SEK', true), ('NOK', true), ('DKK', true), ('PLN', true), ('CZK', true),
    ('AUD', true), ('NZD', true), ('JPY', true), ('KWD', true);

-- Rates in millionths. A region's rate goes before its country's. They are where a shop starts, not tax advice:
-- state rates of the United States without their counties.
create table pricing.tax_rates (
    country text collate "C" not null,
    region text collate "C" not null default '',
    class text collate "C" not null default 'standard',
    rate integer not null check (rate between 0 and 1000000),
    primary key (country, region, class)
);

insert into pricing.tax_rates (country, rate) values
    ('AT', 200000), ('BE', 210000), ('BG', 200000), ('HR', 250000), ('CY', 190000), ('CZ', 210000), ('DK', 250000), ('EE', 240000), ('FI', 255000),
    ('FR', 200000), ('DE', 190000), ('GR', 240000), ('HU', 270000), ('IE', 230000), ('IT', 220000), ('LV', 210000), ('LT', 210000), ('LU', 170000),
    ('MT', 180000), ('NL', 210000), ('PL', 230000), ('PT', 230000), ('RO', 210000), ('SK', 230000), ('SI', 220000), ('ES', 210000), ('SE', 250000),
    ('GB', 200000), ('CH', 81000), ('NO', 250000), ('AU', 100000), ('NZ', 150000), ('JP', 100000), ('CA', 50000);

insert into pricing.tax_rates (country, region, rate) values
    ('US', 'AL', 40000), ('US', 'AZ', 56000), ('US', 'AR', 65000), ('US', 'CA', 72500), ('US', 'CO', 29000), ('US', 'CT', 63500), ('US', 'FL', 60000),
    ('US', 'GA', 40000), ('US', 'HI', 40000), ('US', 'ID', 60000), ('US', 'IL', 62500), ('US', 'IN', 70000), ('US', 'IA', 60000), ('US', 'KS', 65000),
    ('US', 'KY', 60000), ('US', 'LA', 50000), ('US', 'ME', 55000), ('US', 'MD', 60000), ('US', 'MA', 62500), ('US', 'MI', 60000), ('US', 'MN', 68750),
    ('US', 'MS', 70000), ('US', 'MO', 42250), ('US', 'NE', 55000), ('US', 'NV', 68500), ('US', 'NJ', 66250), ('US', 'NM', 48750), ('US', 'NY', 40000),
    ('US', 'NC', 47500), ('US', 'ND', 50000), ('US', 'OH', 57500), ('US', 'OK', 45000), ('US', 'PA', 60000), ('US', 'RI', 70000), ('US', 'SC', 60000),
    ('US', 'SD', 42000), ('US', 'TN', 70000), ('US', 'TX', 62500), ('US', 'UT', 48500), ('US', 'VT', 60000), ('US', 'VA', 43000), ('US', 'WA', 65000),
    ('US', 'WV', 60000), ('US', 'WI', 50000), ('US', 'WY', 40000), ('US', 'DC', 60000),
    ('CA', 'ON', 130000), ('CA', 'NS', 140000), ('CA', 'NB', 150000), ('CA', 'NL', 150000), ('CA', 'PE', 150000), ('CA', 'QC', 149750),
    ('CA', 'BC', 120000), ('CA', 'MB', 120000), ('CA', 'SK', 110000);

create view public_views.v_prices as
select
    sku collate "default" as sku,
    currency collate "default" as currency,
    amount,
    source,
    reason,
    model_version,
    valid_from,
    valid_to
from pricing.prices;

-- +goose Down

drop view public_views.v_prices;
drop table pricing.tax_rates, pricing.currencies, pricing.prices;
