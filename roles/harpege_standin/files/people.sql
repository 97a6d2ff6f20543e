-- Invented people. The first ten are the demonstration accounts of the lab
-- (inventories/lab/group_vars/directory/people.yml) with the same values; then one or more for each rule of the
-- feed. Dates are relative to the day of loading where a rule looks at the calendar.

INSERT INTO type_population VALUES
  ('SA', 'Enseignants du supérieur', 'O'), ('DA', 'Enseignants du second degré', 'O'),
  ('CH', 'Chercheurs', 'N'), ('IA', 'Ingénieurs et techniciens', 'N'),
  ('AA', 'Administratifs', 'N'), ('BA', 'Bibliothèques', 'N');
INSERT INTO corps VALUES
  ('300', 'PR', 'Professeur des universités'), ('301', 'MCF', 'Maître de conférences'),
  ('553', 'PRAG', 'Professeur agrégé'), ('440', 'CR', 'Chargé de recherche'),
  ('840', 'IGR', 'Ingénieur de recherche'), ('841', 'IGE', 'Ingénieur d’études'), ('844', 'TECH', 'Technicien'),
  ('747', 'AAE', 'Attaché d’administration'), ('749', 'ADJ', 'Adjoint administratif'),
  ('700', 'CONS', 'Conservateur des bibliothèques'), ('702', 'BIB', 'Bibliothécaire');
INSERT INTO type_contrat_travail VALUES
  ('AT', 'Attaché temporaire d’enseignement et de recherche', 'O'), ('LE', 'Lecteur de langue', 'O'),
  ('DC', 'Doctorant contractuel', 'N'), ('CR', 'Chercheur contractuel', 'N'),
  ('CO', 'Agent contractuel', 'N'), ('VN', 'Vacataire d’enseignement', 'O'), ('VF', 'Vacataire fonctionnaire', 'O');

INSERT INTO structure VALUES
  ('UP', 'UP', 'Université de Provence', NULL, '1971-01-01', NULL),
  ('DSI', 'DSI', 'Direction des systèmes d’information', 'UP', '1990-01-01', NULL),
  ('DRH', 'DRH', 'Direction des ressources humaines', 'UP', '1990-01-01', NULL),
  ('SCD', 'SCD', 'Service commun de la documentation', 'UP', '1985-01-01', NULL),
  ('UFR-LETTRES', 'UFR Lettres', 'UFR Lettres, arts, communication et sciences du langage', 'UP', '1985-01-01', NULL),
  ('LAB-MMSH', 'MMSH', 'Maison méditerranéenne des sciences de l’homme', 'UP', '1997-01-01', NULL),
  ('DSI-RESEAU', 'Réseau', 'Pôle réseau et sécurité', 'DSI', '2001-01-01', NULL),
  ('UFR-SCIENCES', 'UFR Sciences', 'UFR Sciences de la matière et de la vie', 'UP', '1985-01-01', NULL),
  ('DEPT-MATHS', 'Maths', 'Département de mathématiques', 'UFR-SCIENCES', '1985-01-01', NULL),
  ('DEPT-BIO', 'Biologie', 'Département de biologie', 'UFR-SCIENCES', '1985-01-01', NULL),
  ('IUFM', 'IUFM', 'Institut de formation des maîtres', 'UP', '1991-01-01', '2013-08-31');

-- The demonstration accounts.
SELECT saisir_personne('MME', 'Martin', 'Jeanne', '1975-03-14', numero => 10001),
  saisir_carriere(10001, 'IA', '841', 'DSI', '2003-09-01');
SELECT saisir_personne('MME', 'Lefèvre', 'Amélie', '1968-11-02', numero => 10002),
  saisir_carriere(10002, 'SA', '301', 'UFR-LETTRES', '1998-09-01');
SELECT saisir_personne('M.', 'Benali', 'Karim', '1980-06-30', numero => 10003),
  saisir_carriere(10003, 'CH', '440', 'LAB-MMSH', '2010-10-01');
SELECT saisir_personne('M.', 'Garnier', 'Yves', '1990-09-21', numero => 10005),
  saisir_carriere(10005, 'AA', '749', 'DRH', '2026-09-01');
SELECT saisir_personne('MME', 'Roux', 'Mireille', '1971-12-05', numero => 10006),
  saisir_carriere(10006, 'BA', '702', 'SCD', '1996-01-01');
SELECT saisir_personne('M.', 'Durand', 'Paul', '1955-04-18', numero => 10007),
  saisir_carriere(10007, 'AA', '747', 'UP', '1980-01-01', '2020-08-31');
SELECT saisir_personne('MME', 'Faure', 'Sophie', '1986-05-17', numero => 10008),
  saisir_carriere(10008, 'IA', '844', 'DSI', '2012-03-01');
SELECT saisir_personne('M.', 'Dumas', 'Luc', '1962-02-24', numero => 10009),
  saisir_carriere(10009, 'AA', '747', 'UP', '1988-09-01');

-- Names: accents, ligatures, particles, apostrophes, hyphens, very short, very long.
SELECT saisir_personne('MME', 'Žižková', 'Barbora', '1979-07-08', numero => 10101),
  saisir_contrat(10101, 'LE', 'UFR-LETTRES', '2024-09-01', CURRENT_DATE + 280);
SELECT saisir_personne('M.', 'Le Cœur', 'Gaël', '1984-02-29', numero => 10102),
  saisir_carriere(10102, 'IA', '844', 'DSI-RESEAU', '2009-01-01');
SELECT saisir_personne('MME', 'de La Fontaine du Puy', 'Marie-Françoise', '1966-10-10', numero => 10103),
  saisir_carriere(10103, 'SA', '300', 'UFR-LETTRES', '1995-09-01');
SELECT saisir_personne('M.', 'd’Alembert', 'Jean', '1977-11-16', numero => 10104),
  saisir_carriere(10104, 'SA', '301', 'DEPT-MATHS', '2006-09-01');
SELECT saisir_personne('MME', 'O''Brien', 'Siobhán', '1988-03-17', numero => 10105),
  saisir_contrat(10105, 'CR', 'DEPT-BIO', '2025-01-01', CURRENT_DATE + 400);
SELECT saisir_personne('M.', 'Saint-Exupère', 'Antoine', '1970-06-29', numero => 10106),
  saisir_carriere(10106, 'AA', '747', 'UP', '1999-01-01');
SELECT saisir_personne('M.', 'Ô', 'Li', '1991-01-31', numero => 10107),
  saisir_contrat(10107, 'DC', 'DEPT-MATHS', CURRENT_DATE - 400, CURRENT_DATE + 700);
SELECT saisir_personne('MME', 'Andriamanantenasoa-Rakotomalala', 'Hanitriniaina', '1986-08-12', numero => 10108),
  saisir_carriere(10108, 'IA', '840', 'DEPT-BIO', '2015-12-01');
SELECT saisir_personne('M.', 'NUÑEZ MUÑOZ', 'JOSÉ MARÍA', '1982-05-05', numero => 10109),
  saisir_contrat(10109, 'AT', 'UFR-LETTRES', CURRENT_DATE - 60, CURRENT_DATE + 300);
SELECT saisir_personne('M.', 'Großmann', 'Jürgen', '1974-12-24', numero => 10110),
  saisir_carriere(10110, 'SA', '300', 'DEPT-BIO', '2004-09-01');

-- Homonyms: one login each; two with the same name and given name, one of them born the same day.
SELECT saisir_personne('MME', 'Petit', 'Claire', '1981-04-01', numero => 10111),
  saisir_carriere(10111, 'AA', '749', 'DRH', '2005-01-01');
SELECT saisir_personne('MME', 'Petit', 'Claire', '1993-09-12', numero => 10112),
  saisir_carriere(10112, 'SA', '301', 'DEPT-BIO', '2021-09-01');
SELECT saisir_personne('M.', 'Petit', 'Cyril', '1976-01-20', numero => 10113),
  saisir_carriere(10113, 'IA', '844', 'UFR-SCIENCES', '2000-01-01');
SELECT saisir_personne('MME', 'Petit', 'Claire', '1981-04-01', numero => 10114),
  saisir_contrat(10114, 'CO', 'SCD', CURRENT_DATE - 90, CURRENT_DATE + 275);

-- Birth name, usual name.
SELECT saisir_personne('MME', 'Moreau', 'Élodie', '1983-06-06', 'Chevalier', numero => 10115),
  saisir_carriere(10115, 'DA', '553', 'UFR-LETTRES', '2011-09-01');
SELECT saisir_personne('MLLE', 'Blanchard', 'Inès', '1997-10-30', 'Blanchard', numero => 10116),
  saisir_contrat(10116, 'CO', 'DRH', CURRENT_DATE - 20, CURRENT_DATE + 345);

-- Two assignments at once, in two structures; a change of structure; a change of corps; civil servant and contract.
SELECT saisir_personne('M.', 'Fontaine', 'Hugo', '1972-02-02', numero => 10117),
  saisir_carriere(10117, 'SA', '301', 'DEPT-MATHS', '2002-09-01', NULL, 50);
SELECT saisir_contrat(10117, 'CR', 'LAB-MMSH', '2022-01-01', NULL, 50);
SELECT saisir_personne('MME', 'Rey', 'Nadia', '1985-05-25', numero => 10118),
  saisir_carriere(10118, 'AA', '749', 'DRH', '2010-01-01', CURRENT_DATE - 1);
SELECT saisir_carriere(10118, 'AA', '747', 'SCD', CURRENT_DATE);
SELECT saisir_personne('M.', 'Barbier', 'Olivier', '1969-09-09', numero => 10119),
  saisir_carriere(10119, 'SA', '301', 'UFR-LETTRES', '1997-09-01');
UPDATE element_carriere SET d_fin_element = '2018-08-31' WHERE no_dossier_pers = 10119;
INSERT INTO element_carriere VALUES (10119, 1, '300', '2018-09-01', NULL, NULL, 'N');

-- Arrivals: in a week (ahead of time, already to be seen), in a year (not yet).
SELECT saisir_personne('MME', 'Gautier', 'Lucie', '1995-12-01', numero => 10120),
  saisir_carriere(10120, 'IA', '841', 'DSI-RESEAU', CURRENT_DATE + 7);
SELECT saisir_personne('M.', 'Perrin', 'Théo', '1998-03-03', numero => 10121),
  saisir_carriere(10121, 'AA', '749', 'DRH', CURRENT_DATE + 365);

-- Departures: last week (grace), four months ago (suspended), long ago (nobody any more), to come.
SELECT saisir_personne('M.', 'Mercier', 'Alain', '1961-07-14', numero => 10122),
  saisir_carriere(10122, 'AA', '747', 'UP', '1985-01-01', CURRENT_DATE - 7);
SELECT saisir_personne('MME', 'Colin', 'Brigitte', '1960-08-15', numero => 10123),
  saisir_carriere(10123, 'BA', '700', 'SCD', '1984-01-01', CURRENT_DATE - 120);
SELECT saisir_personne('M.', 'Vidal', 'Roger', '1948-01-05', numero => 10124),
  saisir_carriere(10124, 'SA', '300', 'UFR-SCIENCES', '1975-09-01', '2013-08-31');
SELECT saisir_personne('MME', 'Leroux', 'Agnès', '1992-02-14', numero => 10125),
  saisir_contrat(10125, 'CO', 'DSI', CURRENT_DATE - 300, CURRENT_DATE + 14);

-- Came back after a gap; left a structure that is closed.
SELECT saisir_personne('M.', 'Aubert', 'Damien', '1987-10-21', numero => 10126),
  saisir_contrat(10126, 'AT', 'DEPT-BIO', '2019-09-01', '2021-08-31');
SELECT saisir_contrat(10126, 'CR', 'DEPT-BIO', CURRENT_DATE - 30, CURRENT_DATE + 700);
SELECT saisir_personne('MME', 'Carpentier', 'Odile', '1965-06-18', numero => 10127),
  saisir_carriere(10127, 'DA', '553', 'IUFM', '1995-09-01', '2013-08-31');
SELECT saisir_carriere(10127, 'DA', '553', 'UFR-LETTRES', '2013-09-01');

-- Death.
SELECT saisir_personne('M.', 'Lemoine', 'Gérard', '1958-11-11', numero => 10128),
  saisir_carriere(10128, 'IA', '844', 'UFR-SCIENCES', '1982-01-01');
UPDATE individu SET d_deces = CURRENT_DATE - 10 WHERE no_individu = 10128;

-- A provisional row only; a cancelled row only; a cancelled one beside a firm one.
SELECT saisir_personne('MME', 'Renard', 'Camille', '1999-04-23', numero => 10129),
  saisir_carriere(10129, 'AA', '749', 'DRH', CURRENT_DATE - 5);
UPDATE element_carriere SET tem_provisoire = 'O' WHERE no_dossier_pers = 10129;
SELECT saisir_personne('M.', 'Guérin', 'Bastien', '1994-08-08', numero => 10130),
  saisir_carriere(10130, 'IA', '841', 'DSI', CURRENT_DATE - 40);
UPDATE element_carriere SET d_annulation = CURRENT_DATE - 30 WHERE no_dossier_pers = 10130;
SELECT saisir_personne('MME', 'Da Silva', 'Inês', '1978-12-12', numero => 10131),
  saisir_carriere(10131, 'IA', '844', 'DSI', '2008-01-01');
INSERT INTO element_carriere VALUES (10131, 1, '841', CURRENT_DATE - 200, NULL, CURRENT_DATE - 190, 'N');

-- Hourly teaching only: no member of staff.
SELECT saisir_personne('M.', 'Boyer', 'Xavier', '1980-01-01', numero => 10132),
  saisir_contrat(10132, 'VN', 'UFR-LETTRES', CURRENT_DATE - 60, CURRENT_DATE + 200);
-- Known to Harpège, without any post.
SELECT saisir_personne('MME', 'Marchand', 'Solène', '1990-02-20', numero => 10133);
-- Known, but no dossier: the child of somebody.
INSERT INTO individu VALUES (10134, 'MLLE', 'Moreau', NULL, 'Zélie', '2015-05-05', NULL);

-- Bad rows. Each is rejected alone.
SELECT saisir_personne('M.', 'Sansdate', 'Rémi', NULL, numero => 10141),
  saisir_carriere(10141, 'AA', '749', 'DRH', '2020-01-01');
SELECT saisir_personne('M.', 'Anciendate', 'Noé', '0202-05-05', numero => 10142),
  saisir_carriere(10142, 'AA', '749', 'DRH', '2020-01-01');
SELECT saisir_personne('MME', 'Loindate', 'Anne', '12026-05-05', numero => 10143),
  saisir_carriere(10143, 'AA', '749', 'DRH', '2020-01-01');
SELECT saisir_personne('M.', NULL, 'Sansnom', '1980-05-05', numero => 10144),
  saisir_carriere(10144, 'AA', '749', 'DRH', '2020-01-01');
SELECT saisir_personne('M.', 'Double', 'Un', '1981-05-05', numero => 10145),
  saisir_carriere(10145, 'AA', '749', 'DRH', '2020-01-01');
INSERT INTO individu VALUES (10145, 'M.', 'Double', NULL, 'Deux', '1982-06-06', NULL);
SELECT saisir_personne('M.', 'Nullepart', 'Zoltan', '1983-05-05', numero => 10146),
  saisir_carriere(10146, 'IA', '841', 'XX-99', '2020-01-01');
SELECT saisir_personne('M.', E'Tabu\tla\nteur', 'Éric', '1984-05-05', numero => 10147),
  saisir_carriere(10147, 'IA', '841', 'DSI', '2020-01-01');
SELECT saisir_personne('MME', repeat('Longue', 50), 'Aude', '1985-05-05', numero => 10148),
  saisir_carriere(10148, 'IA', '841', 'DSI', '2020-01-01');
SELECT saisir_personne('M.', 'Envers', 'Loïc', '1986-05-05', numero => 10149),
  saisir_carriere(10149, 'IA', '841', 'DSI', '2024-01-01', '2020-01-01');
INSERT INTO personnel VALUES (10150);
SELECT saisir_contrat(10150, 'CO', 'DSI', '2024-01-01');
