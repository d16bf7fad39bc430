import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FTPError } from 'basic-ftp';
import { HoldfastError } from '../../errors.ts';
import { ftpErrorFrom } from './ftp-errors.ts';

const place = 'ftp://ftp.example:21';

test('answers of servers are told apart', () => {
  const answers = [
    [530, 'Login incorrect.', 'storage.credentials'],
    [550, 'Permission denied.', 'storage.unauthorized'],
    [553, 'Could not create file.', 'storage.unauthorized'],
    [550, 'Could not get file size.', 'storage.not_found'],
    [550, 'x: No such file or directory', 'storage.not_found'],
    [550, 'x: Read-only file system', 'storage.read_only'],
    [552, 'Transfer aborted. Disc quota exceeded', 'storage.full'],
    [550, 'No space left on device', 'storage.full'],
    [451, 'Failure writing to local file.', 'storage.full'],
    [451, 'Transfer aborted. Connection reset by peer', 'storage.unavailable'],
    [550, 'Cannot create a file when that file already exists.', 'storage.conflict'],
    [421, 'There are too many connections from your internet address.', 'storage.unavailable'],
    [425, 'Failed to establish connection.', 'storage.unavailable'],
  ] as const;
  for (const [code, message, expected] of answers) {
    const reply = new FTPError({ code, message: `${code} ${message}` });
    const error = ftpErrorFrom(reply, { place, doing: 'STOR', path: '/x', otherwise: 'storage.unauthorized' });
    assert.equal(error.code, expected, message);
    assert.ok(error.message.startsWith(`${place}: STOR /x: the server answered "${code} `));
  }
});

test('errors of the network and of TLS are told apart', () => {
  const errors = [
    ['ECONNREFUSED', 'connect', 'storage.unavailable'],
    ['ENOTFOUND', 'getaddrinfo', 'storage.unavailable'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed certificate', 'storage.certificate'],
    ['CERT_HAS_EXPIRED', 'certificate has expired', 'storage.certificate'],
    ['', 'Timeout (control socket)', 'storage.timeout'],
    ['', 'Server sent FIN packet unexpectedly, closing connection.', 'storage.unavailable'],
    ['', 'something else', 'storage.failed'],
  ] as const;
  for (const [code, message, expected] of errors) {
    const cause = Object.assign(new Error(message), code === '' ? {} : { code });
    assert.equal(ftpErrorFrom(cause, { place, doing: 'connect' }).code, expected, message);
  }
  const own = new HoldfastError('operation.interrupted');
  assert.equal(ftpErrorFrom(own, { place, doing: 'connect' }), own);
});

test('a server that wants TLS is understood', () => {
  for (const message of [
    '530 Non-anonymous sessions must use encryption.',
    '550 SSL/TLS required on the control channel',
  ]) {
    const reply = new FTPError({ code: Number(message.slice(0, 3)), message });
    assert.match(ftpErrorFrom(reply, { place, doing: 'log in' }).hint, /set `secure` to true/);
  }
});
