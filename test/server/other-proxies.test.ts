import { expect, test } from 'vitest';
import { parseDocument } from '../../src/yaml/yaml.js';
import { ask, type Headers, scene } from '../support/auth-servers.js';
import { block } from '../support/documents.js';
import { make } from '../support/keyrings.js';

// No package of npm or Debian brings Envoy or Traefik. These tests ask the server as those do by the configurations that docs/serve.md shows:
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/ext_authz_filter,
// https://doc.traefik.io/traefik/middlewares/http/forwardauth/

interface Pattern {
  readonly exact?: string;
  readonly prefix?: string;
}
const fits = (patterns: readonly Pattern[], name: string) =>
  patterns.some(({ exact, prefix }) => exact === name || (prefix !== undefined && name.startsWith(prefix)));
const pick = (headers: Headers, keep: (name: string) => boolean): Headers =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => keep(name)));

/** The headers that reach the server behind, or the refusal. */
type Passed = { readonly headers: Headers } | { readonly status: number | undefined; readonly names: string[] };
type Passes = (address: string, path: string, method: string, headers: Headers) => Promise<Passed>;

const envoy: Passes = async (address, path, method, headers) => {
  const {
    route_config: { virtual_hosts: hosts },
    http_filters: [{ typed_config: filter }],
  } = parseDocument(block('docs/serve.md', 'envoy.filters.http.ext_authz')).toJS();
  expect(filter).toMatchObject({ failure_mode_allow: false, http_service: { path_prefix: '/auth/envoy' } });
  const { path_prefix: prefix, authorization_request: request, authorization_response: response } = filter.http_service;
  const sent = pick(headers, (name) => fits(request.allowed_headers.patterns, name));
  const answer = await ask(address, `${prefix}${path}`, { method, headers: sent });
  const told = answer.headers as Headers;
  if (answer.status !== 200) {
    const client = pick(told, (name) => fits(response.allowed_client_headers.patterns, name));
    return { status: answer.status, names: Object.keys(client).sort() };
  }
  const identity = pick(told, (name) => fits(response.allowed_upstream_headers.patterns, name));
  const passed = pick({ ...headers, ...identity }, (name) => !hosts[0].request_headers_to_remove.includes(name));
  return { headers: passed };
};

const traefik: Passes = async (address, path, method, headers) => {
  const { middlewares, routers } = parseDocument(block('docs/serve.md', 'trustForwardHeader')).toJS().http;
  const { forwardAuth } = middlewares.keys;
  expect(forwardAuth).toMatchObject({ address: 'http://127.0.0.1:8787/auth', trustForwardHeader: false });
  expect(routers.api.middlewares).toEqual(['keys', 'without-key']);
  const forwarded = { 'x-forwarded-method': method, 'x-forwarded-uri': path };
  const answer = await ask(address, '/auth', { headers: { ...headers, ...forwarded } });
  if (answer.status !== 200) return { status: answer.status, names: [] };
  const names: string[] = forwardAuth.authResponseHeaders.map((name: string) => name.toLowerCase());
  const identity = pick(answer.headers as Headers, (name) => names.includes(name));
  const own = pick(headers, (name) => !names.includes(name));
  const emptied = Object.entries(middlewares['without-key'].headers.customRequestHeaders).filter(([, to]) => to === '');
  const removed = emptied.map(([name]) => name.toLowerCase());
  return { headers: pick({ ...own, ...identity }, (name) => !removed.includes(name)) };
};

test.each<[string, Passes]>([
  ['Envoy', envoy],
  ['Traefik', traefik],
])('%s, as docs/serve.md configures it, tells the server behind whose key it was, and nothing of what a client claims', async (_, passes) => {
  const { keyring, address } = await scene();
  const { key, keyString } = await make(keyring, 'a');
  const claims = Object.fromEntries(['id', 'name', 'mode', 'scopes'].map((each) => [`x-api-key-${each}`, 'admin']));
  const headers = { authorization: `Bearer ${keyString}`, accept: 'text/plain', ...claims };
  expect(await passes(address, '/check-ins/7?x=1', 'GET', headers)).toEqual({
    headers: {
      accept: 'text/plain',
      'x-api-key-id': key.id,
      'x-api-key-name': 'a',
      'x-api-key-mode': 'test',
      'x-api-key-scopes': 'checkin:read',
    },
  });
  const status = async (path: string, method: string, more: Headers = {}) =>
    await passes(address, path, method, { ...headers, ...more });
  expect(await status('/plans', 'GET')).toMatchObject({ status: 403 });
  expect(await status('/check-ins', 'POST')).toMatchObject({ status: 403 });
  expect(await status('/check-ins', 'GET', { 'x-api-key': 'y' })).toMatchObject({ status: 400 });
  expect(await status('/check-ins', 'GET', { x_api_key_id: 'admin' })).toMatchObject({ status: 400 });
  expect(await status('/check-ins', 'GET', { 'x-api_key-id': 'admin' })).toMatchObject({ status: 400 });
  expect(await status('/check-ins', 'GET', { 'x-http-method-override': 'POST' })).toMatchObject({ status: 400 });
});

test('Envoy hands the reason of a refusal to the client', async () => {
  const { address } = await scene();
  expect(await envoy(address, '/check-ins', 'GET', {})).toEqual({
    status: 401,
    names: ['content-type', 'www-authenticate'],
  });
});
