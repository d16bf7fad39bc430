/** Given names that masks choose from. */
export const givenNames: readonly string[] =
  `Ada Alma Amir Anna Aron Bela Boris Carla Chen Clara Dana David Dora Edgar Elena Emil Erik Eva Farid Felix Fiona Georg Greta Hana Hugo Ida Igor Ines
  Ivan Jana Jonas Julia Karim Kim Lara Leo Lena Lin Luca Maja Marco Mila Nadia Nils Nora Olaf Olga Omar Otto Paula Petra Priya Rita Rosa Samir Sara Sofia
  Tara Tomas Uma Vera Viktor Yara Zoe`.split(/\s+/);

/** Family names that masks choose from. */
export const surnames: readonly string[] =
  `Adler Almeida Andersen Baker Bauer Berg Blanc Bruun Castro Clarke Costa Dahl Demir Dubois Evans Farkas Fischer Fontana Garcia Georgiou Haas Hansen
  Horvat Ito Ivanov Jansen Jensen Kaya Keller Khan Klein Kovacs Kumar Larsen Lehmann Lindgren Lopez Marino Meyer Moreau Mueller Nagy Nakamura Nguyen
  Novak Okafor Olsen Patel Peeters Popov Reyes Ricci Rossi Santos Sato Schmidt Silva Suzuki Svoboda Tanaka Toth Vogel Weber Wolf Zhang`.split(
    /\s+/,
  );

/** Words without a meaning, for the place of free text. */
export const fillerWords: readonly string[] =
  `lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore magna aliqua enim ad minim veniam quis
  nostrud exercitation ullamco laboris nisi aliquip ex ea commodo consequat duis aute irure in reprehenderit voluptate velit esse cillum eu fugiat nulla
  pariatur`.split(/\s+/);
