import { type Engine, onServer, plainDumpSettings } from '../engine.ts';
import { mysqlPlaceOf } from './mysql-address.ts';

/** MySQL and MariaDB: a database of a server. */
export const mysqlEngine: Engine = {
  name: 'mysql',
  names: ['mysql', 'mariadb'],
  schemes: ['mysql', 'mariadb'],
  urlForm: 'mysql://user@host/database',
  async makeSource(options) {
    const { MysqlSource } = await import('./mysql-source.ts');
    return new MysqlSource(options);
  },
  async makePlainSource(options) {
    const { MysqlSource } = await import('./mysql-source.ts');
    return new MysqlSource(plainDumpSettings(options));
  },
  plainContent: 'sql',
  async makeTarget(options) {
    const { MysqlTarget } = await import('./mysql-target.ts');
    return new MysqlTarget(options);
  },
  async undo(options) {
    const { undoMysql } = await import('./undo-mysql.ts');
    return await undoMysql(options);
  },
  async openScratch(options) {
    const { openMysqlScratch } = await import('./mysql-scratch.ts');
    return await openMysqlScratch(onServer(options, mysqlEngine.urlForm));
  },
  placeOf: mysqlPlaceOf,
};
