CREATE TABLE `back``tick` (`a``b` int PRIMARY KEY, `select` int, `with space` text, `"quoted"` text, `it's` text, `new
line` text, `Größe` text, `a.b` int, `%s:?` text, `;` text, `-- x` text, `back\slash` text DEFAULT '\\');
--;;
INSERT INTO `back``tick` VALUES (1, 2, 'x', '"', '''', '
', 'ß', 3, '%', ';', '--', '\\'), (2, NULL, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
--;;
CREATE TABLE `table` (id int);
--;;
CREATE TABLE `Table` (id int);
--;;
INSERT INTO `table` VALUES (1);
--;;
INSERT INTO `Table` VALUES (2);
--;;
CREATE TABLE `таблица 列` (`列` varchar(20));
--;;
INSERT INTO `таблица 列` VALUES ('値'), ('💾'), ('');
--;;
CREATE TABLE `a.b` (id int);
--;;
CREATE TABLE `a/b\\c` (id int);
--;;
CREATE TABLE `*` (id int);
--;;
CREATE TABLE `new
line` (id int);
--;;
INSERT INTO `new
line` VALUES (1);
--;;
CREATE TABLE `-dash` (id int);
--;;
CREATE TABLE `%2F` (id int);
--;;
CREATE TABLE `name_of_sixty_four_characters_which_is_the_longest_there_may_be_` (id int, KEY `Index "x" -- name` (id));
--;;
CREATE VIEW `View ``of`` "it"` AS SELECT `a``b` AS `x y`, `a.b` FROM `back``tick`;
