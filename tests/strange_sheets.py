"""How do strangers write their tariff sheets, each without its tariffId?"""

SHEETS = {
    # three rate periods on components, losses of the customer's transformer, standard 0.85
    "cn-loss": """
currency: CNY
zone: Asia/Shanghai
validFrom: 2026-01-01
components:
  floating: {purchase: 0.4137, loss: 0.0119}
  fixed: {transmission: 0.2069, funds: 0.02716875}
ratePeriods: [{name: peak, ratio: 1.7}, {name: flat, ratio: 1.0}, {name: valley, ratio: 0.3}]
timeOfUse:
  - {ratePeriod: peak, hours: ["16:00-22:00"]}
  - {ratePeriod: valley, hours: ["22:00-06:00"]}
  - {ratePeriod: flat}
transformerLoss:
  {noLoadKwhPerKvaDay: 0.0576, loadShare: 0.0152,
   noLoadKvarhPerKvaDay: 0.36, reactiveLoadShare: 0.04}
powerFactor: {standard: 0.85, table: cn-1983-215, baseExcludes: [funds]}
levies: [{name: renewable, perKwh: 0.019}]
vat: 0.13
rounding: 0.01
""",
    # critical peak on summer weekdays inside peak, deep valley on holidays, capacity or demand
    "cn-five": """
currency: CNY
zone: Asia/Shanghai
validFrom: 2026-01-01
ratePeriods:
  - {name: 尖峰, pricePerKwh: 1.2345}
  - {name: 高峰, pricePerKwh: 0.9876}
  - {name: 平段, pricePerKwh: 0.6543}
  - {name: 低谷, pricePerKwh: 0.3210}
  - {name: 深谷, pricePerKwh: 0.1234}
holidays: [2026-10-01, 2026-10-02, 2026-10-03]
timeOfUse:
  - {ratePeriod: 深谷, days: [holiday], hours: ["10:00-14:00"]}
  - {ratePeriod: 尖峰, months: [7, 8], days: [mon, tue, wed, thu, fri], hours: ["13:00-17:00"]}
  - {ratePeriod: 高峰, hours: ["08:00-11:00", "13:00-22:00"]}
  - {ratePeriod: 低谷, hours: ["22:00-08:00"]}
  - {ratePeriod: 平段}
basic: {choice: [capacity, demand], capacityPerKva: 30, demandPerKw: 48,
        demandOver: {above: 1.05, factor: 2}, demandFloor: 0.4}
powerFactor: {standard: 0.90, table: cn-1983-215}
rounding: 0.01
""",
    # a household of five: another 100 kWh a month on each tier
    "cn-five-persons": """
currency: CNY
zone: Asia/Shanghai
validFrom: 2026-01-01
ratePeriods: [{name: home, pricePerKwh: 0.5469}]
tiers:
  reset: year
  steps: [{uptoKwh: 3720, addPerKwh: 0}, {uptoKwh: 6000, addPerKwh: 0.05},
          {uptoKwh: null, addPerKwh: 0.30}]
rounding: 0.01
""",
    # last summer's demand as the floor of this month's, riders, a minimum and a tax on all
    "us-ratchet": """
currency: USD
zone: America/New_York
validFrom: 2024-01-01
ratePeriods: [{name: "on", pricePerKwh: 0.14237}, {name: "off", pricePerKwh: 0.07915}]
timeOfUse:
  - {ratePeriod: "on", months: [6, 7, 8, 9], days: [mon, tue, wed, thu, fri],
     hours: ["09:00-21:00"]}
  - {ratePeriod: "off"}
basic: {demandPerKw: 12.25}
standingPerMonth: 35
minimumPerMonth: 500
levies:
  - {name: fuel rider, perKwh: 0.00421}
  - {name: franchise fee, rate: 0.03, of: [energy, basic, standing, levies]}
vat: 0.06
rounding: 0.01
""",
    "de-tou": """
currency: EUR
zone: Europe/Berlin
validFrom: 2024-01-01
ratePeriods: [{name: ht, pricePerKwh: 0.32}, {name: nt, pricePerKwh: 0.24}]
timeOfUse:
  - {ratePeriod: ht, days: [mon, tue, wed, thu, fri], hours: ["06:00-22:00"]}
  - {ratePeriod: nt}
standingPerMonth: 12.50
vat: 0.19
rounding: 0.01
""",
    "de-spot": """
currency: EUR
zone: Europe/Berlin
validFrom: 2024-01-01
ratePeriods: [{name: grid, pricePerKwh: 0.125}]
dynamic: hourly
standingPerDay: 0.40
vat: 0.19
rounding: 0.01
""",
    "large": """
currency: CNY
zone: Asia/Shanghai
validFrom: 2010-01-01
ratePeriods: [{name: energy, pricePerKwh: 0.34}]
basic: {capacityPerKva: 16}
powerFactor: {standard: 0.90, table: cn-1983-215}
levies: [{name: fund-a, perKwh: 0.02}, {name: fund-b, perKwh: 0.015}]
rounding: 0.01
---
tariffId: ordinary
currency: CNY
zone: Asia/Shanghai
validFrom: 2010-01-01
ratePeriods: [{name: energy, pricePerKwh: 0.464}]
powerFactor: {standard: 0.85, table: cn-1983-215}
levies: [{name: fund-a, perKwh: 0.02}, {name: fund-b, perKwh: 0.015}]
rounding: 0.01
""",
    # a dearer version from the middle of a month on
    "step": """
currency: EUR
zone: Europe/Berlin
validFrom: 2026-01-01
ratePeriods: [{name: single, pricePerKwh: 0.30}]
standingPerDay: 0.25
rounding: 0.01
---
tariffId: step
currency: EUR
zone: Europe/Berlin
validFrom: 2026-10-16
ratePeriods: [{name: single, pricePerKwh: 0.36}]
standingPerDay: 0.31
rounding: 0.01
""",
}
