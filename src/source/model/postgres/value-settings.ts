/**
 * How values are written and read, beyond what every connection has: the same text wherever a server stands
 * (postgresql.org/docs, "Client Connection Defaults").
 */
export const valueSettings = `SET timezone = 'UTC'; SET bytea_output = 'hex'; SET lc_monetary = 'C'; SET xmlbinary = 'base64'`;
