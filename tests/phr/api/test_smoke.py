from tests.house import House, observation
async def test_smoke(house: House) -> None:
    r = await house.open_record()
    c = house.citizen(r)
    a = await c.post("Observation", observation(r))
    print(a.status_code, a.text, a.headers)
    a = await c.get(f"Observation/{a.json()['id']}")
    print(a.status_code, a.text, a.headers)
