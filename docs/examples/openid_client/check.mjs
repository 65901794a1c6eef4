// A strict OpenID relying party, npm's openid-client as it comes, goes through all that an app does with Carnet.
// It prints an address to sign in at, and reads from its input the address the browser ended on.
//
//     npm install --no-package-lock
//     node check.mjs http://127.0.0.1:8000 plain|par|dpop

import { createInterface } from 'node:readline/promises'
import * as oidc from 'openid-client'

const [carnet = 'http://127.0.0.1:8000', way = 'plain'] = process.argv.slice(2)
const redirect_uri = 'http://127.0.0.1:8765/callback'
const options = carnet.startsWith('http:') ? { execute: [oidc.allowInsecureRequests] } : {} // plain HTTP: sandbox only
const config = await oidc.discovery(new URL(carnet), 'carnet-demo-app', undefined, oidc.None(), options)
const DPoP = way === 'dpop' ? oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair()) : undefined

const pkceCodeVerifier = oidc.randomPKCECodeVerifier()
const expectedNonce = oidc.randomNonce()
const expectedState = oidc.randomState()
const asked = {
  redirect_uri,
  scope: 'openid profile fhirUser offline_access patient/*.rs',
  code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: 'S256',
  nonce: expectedNonce,
  state: expectedState,
}
const address =
  way === 'plain'
    ? oidc.buildAuthorizationUrl(config, asked)
    : await oidc.buildAuthorizationUrlWithPAR(config, asked, { DPoP })
console.log(address.href)

const input = createInterface({ input: process.stdin })
const ended = new URL(await input.question(''))
input.close()

const checks = { pkceCodeVerifier, expectedNonce, expectedState, idTokenExpected: true }
const tokens = await oidc.authorizationCodeGrant(config, ended, checks, undefined, { DPoP })
const { sub, fhirUser } = tokens.claims()
const user = await oidc.fetchUserInfo(config, tokens.access_token, sub, { DPoP })
if (user.fhirUser !== fhirUser) throw new Error('the id_token and userinfo disagree')

const next = await oidc.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP })
const read = () => oidc.fetchProtectedResource(config, next.access_token, new URL(fhirUser), 'GET', null, undefined, { DPoP })
const patient = await (await read()).json()

await oidc.tokenRevocation(config, next.refresh_token)
const refused = await read().then((answer) => answer.status, (error) => error.status)
console.log(JSON.stringify({ way, type: next.token_type, name: user.name, patient: patient.id, given: next.patient, refused }))
