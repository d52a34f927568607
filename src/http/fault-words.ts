import type { TransportError } from './transport.js';

/** What is said of a request without a response. `server`: what it was sent to, as messages name it. */
export function faultWords({ fault, message }: TransportError, server: string): { message: string; hint: string } {
  switch (fault) {
    case 'unreachable':
      return {
        message: `${server} cannot be reached (${message})`,
        hint: 'check that the server is running and the address is right; nothing was changed',
      };
    case 'untrusted':
      return {
        message: `this machine does not trust the TLS certificate of ${server} (${message})`,
        hint: 'set NODE_EXTRA_CA_CERTS to the certificate of a private authority; the check cannot be disabled',
      };
    case 'broken':
      return { message: `the connection to ${server} was lost (${message})`, hint: 'try again' };
    case 'silent':
      return { message: `${server} ${message}`, hint: 'try again, or wait longer: --timeout 30s' };
    case 'garbled':
      return {
        message: `${server} did not answer as it should (${message})`,
        hint: 'check the address; a proxy in between may have answered',
      };
  }
}
