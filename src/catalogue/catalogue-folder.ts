/** The folder on a storage that records of its catalogue are in, one folder below for each chain. */
export const catalogueFolder = '.holdfast-catalogue';
